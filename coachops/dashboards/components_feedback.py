"""What tells a person how it went: notices, errors with their next step, loading, busy, guards."""

from __future__ import annotations

import contextlib
import functools
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

import traitlets
from markupsafe import Markup

from coachops.core.errors import CATALOGUE, CoachError, Kind
from coachops.dashboards.components_base import (
    Element,
    Part,
    as_coach_error,
    html,
    join,
    report,
)
from coachops.dashboards.theme import Tone

log = logging.getLogger(__name__)

ButtonKind = Literal["primary", "secondary", "danger", "quiet"]
P = ParamSpec("P")
R = TypeVar("R")

# A person's own slip is a warning; what is broken or forbidden is bad.
_TONES: dict[Kind, Tone] = {
    Kind.INVALID: "warn",
    Kind.USAGE: "warn",
    Kind.NOT_FOUND: "warn",
    Kind.CONFLICT: "warn",
    Kind.TOO_LARGE: "warn",
    Kind.UNAUTHENTICATED: "info",
    Kind.FORBIDDEN: "bad",
    Kind.CONFIGURATION: "bad",
    Kind.UNAVAILABLE: "bad",
    Kind.FAILED: "bad",
}
_WHO = {
    "admin": "Your admin can mend this.",
    "support": "Support can help with this.",
}


def notice(
    tone: Tone,
    title: str,
    text: str = "",
    next_step: str = "",
    code: str = "",
    *,
    request_id: str = "",
    actions: Iterable[Any] = (),
) -> Element:
    """A message with what happened, what to do next and, for errors, the code to quote.

    The code leads to its page of the guide; beside it stands the id of the event that failed.
    """
    return Element(
        html(
            '<span class="co-notice-mark" aria-hidden="true"></span><div class="co-notice-body">'
            '<p class="co-notice-title"><span class="co-hidden">{}: </span>{}</p>{}{}{}'
            '<div class="co-actions" data-slot="actions"></div></div>',
            _SPOKEN[tone],
            title,
            html('<p class="co-text">{}</p>', text) if text else "",
            html('<p class="co-text"><strong>What to do:</strong> {}</p>', next_step)
            if next_step
            else "",
            _code_line(code, request_id) if code else "",
        ),
        classes=f"co-notice co-tone-{tone}",
        slots={"actions": actions},
    )


_SPOKEN: dict[Tone, str] = {
    "ok": "Done",
    "warn": "Attention",
    "bad": "Problem",
    "info": "Note",
    "neutral": "Note",
}


def _code_line(code: str, request_id: str) -> Markup:
    spec = CATALOGUE.get(code)
    shown: object = code
    if spec is not None:  # a tab of its own: leaving the page would end what is open in it
        shown = html('<a href="{}" target="_blank" rel="noopener">{}</a>', spec.page, code)
    small = html(' <span class="co-request">{}</span>', request_id) if request_id else ""
    return html('<p class="co-code">{}{}</p>', shown, small)


def error_card(error: CoachError, *, actions: Iterable[Any] = ()) -> Element:
    """What happened, why, what to do next, who can mend it, the code and the id of the event."""
    text = f"{error.spec.why} {_WHO.get(error.spec.who, '')}".strip()
    if error.spec.retryable:
        text = f"{text} It may work when you try again.".strip()
    return notice(
        _TONES[error.kind],
        error.message,
        text,
        error.next_step,
        error.code,
        request_id=error.request_id,
        actions=actions,
    )


class Area(Element):
    """A place for messages that screen readers announce when it changes."""

    def __init__(self, children: Iterable[Any] = (), *, classes: str = "") -> None:
        super().__init__(
            children=children,
            classes=f"co-area co-stack {classes}".strip(),
            attributes={"role": "status", "aria-live": "polite"},
        )

    def show(self, *widgets: Any) -> None:
        """Show these instead of what is shown now."""
        old, self.children = self.children, widgets
        dispose(w for w in old if w not in widgets)

    def clear(self) -> None:
        """Show nothing."""
        self.show()

    def show_exception(self, problem: BaseException) -> None:
        """Show an exception as an error card, never its own text unless it is a `CoachError`."""
        self.show(error_card(as_coach_error(problem)))


def area(children: Iterable[Any] = ()) -> Area:
    """A place for messages: `area.show(notice(...))`, `area.clear()`."""
    return Area(children)


def dispose(widgets: Iterable[Any]) -> None:
    """Close widgets and all below them, in the kernel and in the page."""
    for widget in widgets:
        if isinstance(widget, Element):
            for name in list(widget._children):  # noqa: SLF001 one family of classes
                dispose(widget.slot(name))
        elif hasattr(widget, "children"):
            for group in widget.children:
                dispose(group if isinstance(group, tuple) else (group,))
        widget.close()


def guarded(callback: Callable[P, R], area: Area) -> Callable[P, R | None]:
    """Wrap a callback: a `CoachError` appears in `area` as an error card, any other exception as
    COACH-SYS-003 with its traceback in the log only. A run that succeeds clears an earlier error.
    """

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
        before = area.children
        try:
            result = callback(*args, **kwargs)
        except Exception as problem:
            area.show_exception(problem)
            return None
        if area.children == before:  # unless it has just said something there
            area.clear()
        return result

    return run


class _Hold:
    """Why changes wait now, and the buttons that would make one. A kernel serves one page."""

    def __init__(self) -> None:
        self.reason = ""
        self.buttons: weakref.WeakSet[Button] = weakref.WeakSet()


_hold = _Hold()


def hold_changes(reason: str) -> None:
    """Let every button that would change something wait, with `reason`; an empty one ends it."""
    _hold.reason = reason
    for each in list(_hold.buttons):
        if each.held != reason and each.comm is not None:
            each.held = reason


class Button(Part):
    """A button that runs one click at a time. Made by `button` and `confirm`."""

    kind = "button"
    label = traitlets.Unicode("").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    busy_label = traitlets.Unicode("").tag(sync=True)
    style_kind = traitlets.Unicode("secondary").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    held = traitlets.Unicode("").tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)
    question = traitlets.Dict().tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        label: str,
        callback: Callable[[], object],
        *,
        changes: bool = False,
        **traits: object,
    ) -> None:
        self.callback = callback
        super().__init__(label=label, held=_hold.reason if changes else "", **traits)
        if changes:
            _hold.buttons.add(self)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`{"event": "click", "count"}`: count is how many runs the browser has seen end.

        A second click of a double click still carries the old count when its turn comes, so it
        is dropped even after the first has finished.
        """
        if message["event"] == "click" and message.get("count") == self.count:
            self.click()

    def click(self) -> None:
        """Run the callback as a click does; an exception goes to the page's banner area."""
        if self.disabled or self.held or self.running:
            return
        self.running = True
        try:
            self.callback()
        except Exception as problem:
            report(problem)
        finally:
            self.running = False
            self.count += 1


def button(
    label: str,
    on_click: Callable[[], object],
    kind: ButtonKind = "secondary",
    *,
    area: Area | None = None,
    description: str = "",
    busy_label: str = "",
    disabled: bool = False,
    changes: bool | None = None,
) -> Button:
    """A button.

    Parameters:
        on_click: called without arguments; a second click while it runs is dropped.
        kind: primary (one per card at most), secondary, danger or quiet.
        area: where an exception is shown; the page's banner area without it.
        description: what it acts on, for screen readers, when many buttons share a label.
        busy_label: the label while it runs, such as "Sending…".
        changes: whether a click saves something, so that it waits while nothing can be saved; None:
            where there is an area for what may go wrong.
    """
    return Button(
        label,
        guarded(on_click, area) if area else on_click,
        changes=area is not None if changes is None else changes,
        style_kind=kind,
        description=description,
        busy_label=busy_label,
        disabled=disabled,
    )


def confirm(
    message: str,
    on_yes: Callable[[], object],
    *,
    label: str = "Delete",
    text: str = "",
    yes: str = "",
    no: str = "Cancel",
    kind: ButtonKind = "danger",
    area: Area | None = None,
    description: str = "",
    disabled: bool = False,
) -> Button:
    """A button `label` that first asks `message` (with `text` below it) in a dialog.

    `yes` repeats the verb, such as "Send to 2 people"; it is `label` when not given.
    """
    made = button(
        label, on_yes, kind, area=area, description=description, disabled=disabled, changes=True
    )
    made.question = {"title": message, "text": text, "yes": yes or label, "no": no}
    return made


def loading(text: str = "Loading…", *, lines: int = 3) -> Element:
    """A skeleton of `lines` lines with words that screen readers hear."""
    return Element(
        html(
            '<p class="co-loading-text">{}</p><div aria-hidden="true">{}</div>',
            text,
            join([Markup('<div class="co-skeleton"></div>')] * lines),
        ),
        classes="co-loading",
        attributes={"role": "status", "aria-busy": "true"},
    )


@contextlib.contextmanager
def busy(widget: Any) -> Iterator[None]:
    """Show `widget` (a button or any element) as working inside the block."""
    if isinstance(widget, Button):
        widget.running = True
        try:
            yield
        finally:
            widget.running = False
        return
    attributes, classes = widget.attributes, widget.classes
    widget.attributes = {**attributes, "aria-busy": "true"}
    widget.classes = f"{classes} co-busy".strip()
    try:
        yield
    finally:
        widget.attributes, widget.classes = attributes, classes
