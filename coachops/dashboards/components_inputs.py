"""Labelled inputs whose values are checked in Python: text, text area, select, date, checkbox.

A browser can send any message, so each class turns what arrives into its own type or drops it:
texts are cleaned (`core.text`) and refused above their length, choices are indexes into
the list that Python offered, dates are parsed and compared with their bounds.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import traitlets

from coachops.core.text import clean
from coachops.dashboards.components_base import Part

log = logging.getLogger(__name__)

TEXT_TYPES: Final = frozenset({"text", "email", "password", "search", "url"})
T = TypeVar("T")


class Field(Part, Generic[T]):
    """What all inputs have: a label, help, an error, and callbacks on a change.

    `data` is the checked Python value; set it to change what is shown.
    """

    kind = "input"
    control = traitlets.Unicode("text").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    label_hidden = traitlets.Bool(False).tag(sync=True)
    mark_optional = traitlets.Bool(False).tag(sync=True)
    help = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    required = traitlets.Bool(False).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    hints = traitlets.Dict().tag(sync=True)
    options: Any = traitlets.List().tag(sync=True)
    value = traitlets.Any("").tag(sync=True)

    def __init__(self, label: str, **traits: object) -> None:
        if not label.strip():
            raise ValueError("an input needs a label; hide it with label_hidden=True")
        self._changed: list[Callable[[Any], object]] = []
        self._submitted: list[Callable[[], object]] = []
        super().__init__(label=label, **traits)

    def on_change(self, callback: Callable[[T], object]) -> None:
        """Call `callback(data)` whenever the person changes the value."""
        self._changed.append(callback)

    def on_submit(self, callback: Callable[[], object]) -> None:
        """Call `callback()` when the person presses Enter (Ctrl+Enter in a text area)."""
        self._submitted.append(callback)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`{"event": "value", "value"}` or `{"event": "submit"}` from the browser."""
        if self.disabled:
            return
        if message["event"] == "submit":
            for submitted in self._submitted:
                submitted()
        elif message["event"] == "value":
            raw = message.get("value")
            wire = self._checked(raw)
            if wire is None:
                log.warning("%s: a value that this input does not offer", type(self).__name__)
                # the browser shows something that does not count: show what does
                self.send_state("value")
                return
            self.error = ""
            self._from_browser("value", wire, raw)
            for changed in self._changed:
                changed(self.data)

    def _checked(self, raw: object) -> object | None:
        """The wire value when the browser's `raw` is allowed, else None."""
        raise NotImplementedError

    @property
    def data(self) -> Any:
        """The checked Python value."""
        return self.value

    def type_in(self, value: object) -> None:
        """Do what the browser does when a person enters the wire value `value`: for tests."""
        self.receive({"event": "value", "value": value})


class TextField(Field[str]):
    """One line or many of text; `data` is a `str` of at most `max_length` characters."""

    def __init__(
        self,
        label: str,
        *,
        value: str = "",
        control: str = "text",
        max_length: int = 1_000,
        placeholder: str = "",
        autocomplete: str = "off",
        rows: int = 6,
        **traits: object,
    ) -> None:
        if control not in TEXT_TYPES | {"textarea"}:
            raise ValueError(f"not a text control: {control}")
        self.max_length = max_length
        hints: dict[str, object] = {
            "maxlength": max_length,
            "placeholder": placeholder,
            "autocomplete": autocomplete,
            "rows": rows if control == "textarea" else None,
        }
        super().__init__(label, control=control, value=value, hints=hints, **traits)

    def _checked(self, raw: object) -> str | None:
        if not isinstance(raw, str):
            return None
        text = raw  # a password is no text: it goes to its hash as it was typed
        if self.control != "password":
            text = clean(raw).text.replace("\r\n", "\n").replace("\r", "\n")
        if self.control not in {"textarea", "password"}:
            text = text.replace("\n", "").replace("\t", "")
        # a browser counts UTF-16 units, so it never lets more through than this
        return text if len(text) <= self.max_length else None

    @property
    def data(self) -> str:
        """The text as typed."""
        return str(self.value)

    @data.setter
    def data(self, text: str) -> None:
        self.value = text


class SelectField(Field[T]):
    """A choice out of a list; `data` is the chosen value, or None when nothing is chosen.

    Only the index crosses the wire, so the values can be any Python objects.
    """

    def __init__(
        self, label: str, choices: Sequence[tuple[str, T]], *, value: T | None = None, **traits: Any
    ) -> None:
        self._choices: list[tuple[str, T]] = []
        super().__init__(label, control="select", value=None, **traits)
        self.set_choices(choices, value=value)

    def set_choices(self, choices: Sequence[tuple[str, T]], *, value: T | None = None) -> None:
        """Replace the list `(label, value)`; `value` is chosen, else the first."""
        self._choices = list(choices)
        index = next((i for i, (_, v) in enumerate(self._choices) if v == value), None)
        if index is None and self._choices:
            index = 0
        # options first: an index is only good with the list it points into
        self.options = [text for text, _ in self._choices]
        self.value = index

    def _checked(self, raw: object) -> int | None:
        if isinstance(raw, bool) or not isinstance(raw, int):
            return None
        return raw if 0 <= raw < len(self._choices) else None

    @property
    def data(self) -> T | None:
        """The chosen value."""
        return None if self.value is None else self._choices[self.value][1]

    @data.setter
    def data(self, value: T) -> None:
        self.value = [v for _, v in self._choices].index(value)


class DateField(Field[dt.date | None]):
    """A date; `data` is a `date`, or None while it is empty."""

    def __init__(
        self,
        label: str,
        *,
        value: dt.date | None = None,
        least: dt.date | None = None,
        most: dt.date | None = None,
        **traits: object,
    ) -> None:
        self.least, self.most = least, most
        hints = {"min": _iso(least), "max": _iso(most)}
        super().__init__(label, control="date", value=_iso(value), hints=hints, **traits)

    def _checked(self, raw: object) -> str | None:
        if raw == "":
            return ""
        try:
            day = dt.date.fromisoformat(raw) if isinstance(raw, str) else None
        except ValueError:
            return None
        if day is None or (self.least and day < self.least) or (self.most and day > self.most):
            return None
        return day.isoformat()

    @property
    def data(self) -> dt.date | None:
        """The date entered."""
        return dt.date.fromisoformat(self.value) if self.value else None

    @data.setter
    def data(self, value: dt.date | None) -> None:
        self.value = _iso(value)


class CheckField(Field[bool]):
    """A checkbox; `data` is a `bool`."""

    def __init__(self, label: str, *, value: bool = False, **traits: object) -> None:
        super().__init__(label, control="checkbox", value=value, **traits)

    def _checked(self, raw: object) -> bool | None:
        return raw if isinstance(raw, bool) else None

    @property
    def data(self) -> bool:
        """Whether the box is ticked."""
        return bool(self.value)

    @data.setter
    def data(self, value: bool) -> None:
        self.value = value


def _iso(day: dt.date | None) -> str:
    return day.isoformat() if day else ""


def text_input(
    label: str,
    *,
    value: str = "",
    kind: str = "text",
    help: str = "",  # noqa: A002 the word that readers of the page know it by
    placeholder: str = "",
    required: bool = False,
    max_length: int = 1_000,
    autocomplete: str = "off",
    **traits: Any,
) -> TextField:
    """One line of text; `kind` is text, email, password, search or url."""
    return TextField(
        label, value=value, control=kind, help=help, placeholder=placeholder, required=required,
        max_length=max_length, autocomplete=autocomplete, **traits,
    )  # fmt: skip


def text_area(
    label: str,
    *,
    value: str = "",
    rows: int = 6,
    help: str = "",  # noqa: A002 as in text_input
    placeholder: str = "",
    required: bool = False,
    max_length: int = 200_000,
    **traits: Any,
) -> TextField:
    """Many lines of text, `rows` high."""
    return TextField(
        label, value=value, control="textarea", rows=rows, help=help, placeholder=placeholder,
        required=required, max_length=max_length, **traits,
    )  # fmt: skip


def select(
    label: str,
    choices: Sequence[tuple[str, T]],
    *,
    value: T | None = None,
    help: str = "",  # noqa: A002 as in text_input
    **traits: object,
) -> SelectField[T]:
    """A choice out of `(label, value)` pairs; the first one when `value` is not among them."""
    return SelectField(label, choices, value=value, help=help, **traits)


def date_input(
    label: str,
    *,
    value: dt.date | None = None,
    least: dt.date | None = None,
    most: dt.date | None = None,
    help: str = "",  # noqa: A002 as in text_input
    required: bool = False,
    **traits: object,
) -> DateField:
    """A date between `least` and `most`, both inclusive."""
    return DateField(
        label, value=value, least=least, most=most, help=help, required=required, **traits
    )


def checkbox(
    label: str,
    *,
    value: bool = False,
    help: str = "",  # noqa: A002 as in text_input
    **traits: object,
) -> CheckField:
    """A tick box with its label beside it."""
    return CheckField(label, value=value, help=help, **traits)
