"""Parts that several views of the workspace share: choices, rows of people and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from coachops.dashboards.components import Element, html, join, status_pill
from coachops.dashboards.workspace.wording import State

Handlers = Mapping[tuple[str, str], Callable[[], object]]


class Style(Element):
    """The rules of the workspace, beside those of the design system."""

    def __init__(self) -> None:
        rules = (Path(__file__).parent / "workspace.css").read_text(encoding="utf-8")
        super().__init__(Markup(f"<style>{rules}</style>"), classes="ws-style")  # noqa: S704 our own file

    def text(self) -> str:
        """Nothing to read."""
        return ""


class Choices(Element):
    """HTML with buttons, each with its own callback; a click on anything else is dropped.

    The values of the buttons are ids, never positions: the second click of a double click then
    cannot hit what has moved into the place of the first.
    """

    def __init__(
        self,
        content: Markup | str = "",
        handlers: Handlers | None = None,
        *,
        tag: str = "div",
        classes: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(tag=tag, classes=classes, attributes=attributes)
        self._handlers: Handlers = {}
        self.on_action(self._choose, ())
        self.offer(content, handlers or {})

    def offer(self, content: Markup | str, handlers: Handlers) -> None:
        """Replace the HTML together with what its buttons do."""
        self._handlers = handlers
        self._allowed = set(handlers)
        self.set_content(content)

    @property
    def offers(self) -> Sequence[tuple[str, str]]:
        """The (name, value) of each button, in the order given."""
        return list(self._handlers)

    def choose(self, name: str, value: str) -> None:
        """Do what a click on that button does: for tests."""
        self.receive({"event": "action", "name": name, "value": value})

    def _choose(self, name: str, value: str) -> None:
        self._handlers[name, value]()


def small_button(
    label: str,
    name: str,
    value: object,
    *,
    about: str = "",
    kind: str = "secondary",
    changes: bool = False,
) -> Markup:
    """A button of a `Choices`; `about` tells equal buttons apart for screen readers.

    One that `changes` something waits while nothing can be saved.
    """
    return html(
        '<button type="button" class="co-button co-button-{} co-button-small" data-event="{}" '
        'data-value="{}"{}>{}{}</button>',
        kind,
        name,
        value,
        Markup(" data-changes") if changes else "",
        label,
        html('<span class="co-hidden"> {}</span>', about) if about else "",
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row that opens something.

    Attributes:
        value: its id.
        title: the first line; `detail` the second.
        mark: one or two letters in a circle, or empty.
        state: a pill at its end, or None.
        open: what a click does.
    """

    value: str
    title: str
    detail: str
    open: Callable[[], object]
    mark: str = ""
    state: State | None = None


def row_list(rows: Iterable[Row], *, empty: str = "", label: str = "") -> Choices:
    """Rows of which each is one large button."""
    made = Choices(classes="ws-rows")
    fill_rows(made, rows, empty=empty, label=label)
    return made


def fill_rows(target: Choices, rows: Iterable[Row], *, empty: str = "", label: str = "") -> None:
    """Replace the rows of a `row_list`."""
    rows = list(rows)
    if not rows:
        target.offer(html('<p class="co-empty-line">{}</p>', empty) if empty else "", {})
        return
    items = join(
        html(
            '<li><button type="button" class="ws-row" data-event="open" data-value="{}">{}'
            '<span class="ws-row-text"><span class="ws-row-title">{}</span>{}</span>{}'
            '<span class="ws-row-go" aria-hidden="true"></span></button></li>',
            row.value,
            html('<span class="ws-mark" aria-hidden="true">{}</span>', row.mark)
            if row.mark
            else "",
            row.title,
            html('<span class="ws-row-detail">{}</span>', row.detail) if row.detail else "",
            status_pill(*row.state) if row.state else "",
        )
        for row in rows
    )
    target.offer(
        html('<ul class="ws-row-list" aria-label="{}">{}</ul>', label, items),
        {("open", row.value): row.open for row in rows},
    )
