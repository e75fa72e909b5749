"""What shows data: metrics, tables, pills, lists, timelines, empty states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup, escape

from coachops.dashboards.components_base import Element, html, join, safe_href
from coachops.dashboards.theme import Tone


def status_pill(text: str, tone: Tone = "neutral") -> Markup:
    """A short status as HTML; the words say it, the colour only repeats them."""
    return html('<span class="co-pill co-tone-{}">{}</span>', tone, text)


def pill(text: str, tone: Tone = "neutral") -> Element:
    """`status_pill` as a widget."""
    return Element(status_pill(text, tone), classes="co-inline")


def sparkline_svg(values: Sequence[float | None], *, width: int = 96, height: int = 28) -> Markup:
    """A small line of `values` (None is a gap) as inline SVG; decoration beside a number."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    step = (width - 6) / (len(values) - 1)
    path, pen = [], "M"
    last = (0.0, 0.0)
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        last = (3 + i * step, height - 3 - (value - low) / spread * (height - 6))
        path.append(f"{pen}{last[0]:.1f} {last[1]:.1f}")
        pen = "L"
    return html(
        '<svg class="co-spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true" '
        'focusable="false"><path d="{d}"/><circle cx="{x}" cy="{y}" r="2.5"/></svg>',
        w=int(width),
        h=int(height),
        d=" ".join(path),
        x=f"{last[0]:.1f}",
        y=f"{last[1]:.1f}",
    )


def metric(
    label: str,
    value: str | float,
    detail: str = "",
    definition: str = "",
    *,
    trend: Sequence[float | None] = (),
    change: str = "",
    tone: Tone = "neutral",
) -> Element:
    """A number with its name.

    Parameters:
        detail: what stands below it, such as its base ("of 14 coaches").
        definition: how it is counted, behind "How this is counted" for every reader.
        trend: earlier values, oldest first, drawn as a small line; None is a gap.
        change: words such as "3 more than last week", coloured by `tone`.
    """
    return Element(
        html(
            '<p class="co-metric-label">{}</p><div class="co-metric-line">'
            '<p class="co-metric-value">{}</p>{}</div>{}{}{}',
            label,
            f"{value:,}" if isinstance(value, int | float) else value,
            sparkline_svg(trend),
            html('<p class="co-metric-change co-text-{}">{}</p>', tone, change) if change else "",
            html('<p class="co-metric-detail">{}</p>', detail) if detail else "",
            html(
                '<details class="co-definition"><summary>How this is counted'
                '<span class="co-hidden">: {}</span></summary><p>{}</p></details>',
                label,
                definition,
            )
            if definition
            else "",
        ),
        tag="article",
        classes="co-metric",
    )


def metric_row(metrics: Iterable[Any]) -> Element:
    """Metrics side by side."""
    return Element(children=metrics, classes="co-grid co-grid-200")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `table`.

    Attributes:
        key: the key in each row.
        title: its heading.
        align: `end` for numbers.
        kind: `text` (default); `pill`: a value `(text, tone)`; `link`: a value `(label, href)`;
            `button`: a value `(label, value)` that calls the table's `on_action(key, value)`;
            `html`: HTML made by `html(...)`.
        width: `fit` keeps it as narrow as its content.
    """

    key: str
    title: str
    align: Literal["start", "end"] = "start"
    kind: Literal["text", "pill", "link", "button", "html"] = "text"
    width: Literal["auto", "fit"] = "auto"


class Table(Element):
    """A semantic table. Made by `table`; `set_rows` replaces what it shows."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Mapping[str, object]],
        *,
        empty: str,
        caption: str,
        show_caption: bool,
        on_action: Callable[[str, str], object] | None,
    ) -> None:
        self.columns, self.empty, self.caption = list(columns), empty, caption
        self._show_caption = show_caption
        self._on_action = on_action
        super().__init__(classes="co-table-box")
        if on_action:
            self.on_action(on_action, ())
        self.set_rows(rows)

    def set_rows(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Replace all rows."""
        self.rows = list(rows)
        self._allowed = {
            (c.key, str(_pair(r.get(c.key))[1]))
            for c in self.columns
            if c.kind == "button"
            for r in self.rows
            if r.get(c.key)
        }
        self.set_content(self._html())

    def _html(self) -> Markup:
        if not self.rows:
            return html('<p class="co-empty-line">{}</p>', self.empty)
        head = join(
            html('<th scope="col" class="{}">{}</th>', _classes(c), c.title or _NO_TITLE)
            for c in self.columns
        )
        body = join(
            html("<tr>{}</tr>", join(self._cell(c, r, i) for i, c in enumerate(self.columns)))
            for r in self.rows
        )
        return html(
            '<div class="co-table-scroll" tabindex="0" role="region" aria-label="{}, table">'
            '<table class="co-table"><caption class="{}">{}</caption><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table></div>",
            self.caption,
            "co-caption" if self._show_caption else "co-hidden",
            self.caption,
            head,
            body,
        )

    def _cell(self, column: Column, row: Mapping[str, object], index: int) -> Markup:
        tag = Markup('th scope="row"') if index == 0 else Markup("td")
        shown = _show(column, row.get(column.key), self._named(row))
        return html(
            '<{} class="{}">{}</{}>', tag, _classes(column), shown, "th" if index == 0 else "td"
        )

    def _named(self, row: Mapping[str, object]) -> str:
        """What the first column says of a row: it tells many equal buttons apart."""
        first = row.get(self.columns[0].key)
        text = _pair(first)[0] if isinstance(first, tuple) else first
        return text.striptags() if isinstance(text, Markup) else str(text or "")


_NO_TITLE = Markup('<span class="co-hidden">Actions</span>')


def _classes(column: Column) -> str:
    return f"co-cell co-{column.align} co-cell-{column.kind} co-width-{column.width}"


def _pair(value: object) -> tuple[object, object]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError("a pill, link or button column needs pairs")
    return value


def _show(column: Column, value: object, row_name: str) -> Markup:
    if value is None or value == "":
        return Markup('<span class="co-none">&ndash;<span class="co-hidden"> none</span></span>')
    if column.kind in {"html", "text"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return escape(value)
        return escape(f"{value:,}" if column.kind == "text" else value)
    first, second = _pair(value)
    if column.kind == "pill":
        return html('<span class="co-pill co-tone-{}">{}</span>', second, first)
    if column.kind == "link":
        return html('<a class="co-link" href="{}">{}</a>', safe_href(str(second)), first)
    return html(
        '<button type="button" class="co-button co-button-quiet co-button-small" '
        'data-event="{}" data-value="{}">{}<span class="co-hidden"> {}</span></button>',
        column.key,
        second,
        first,
        row_name,
    )


def table(
    columns: Sequence[Column | tuple[str, str]],
    rows: Iterable[Mapping[str, object]],
    *,
    empty: str = "Nothing here yet.",
    caption: str,
    show_caption: bool = False,
    on_action: Callable[[str, str], object] | None = None,
) -> Table:
    """A table; a column is a `Column` or `(key, title)`, a row a mapping by key.

    The first column names its row. `caption` says what it holds (for screen readers, unless
    `show_caption`). `on_action(key, value)` is called for a click in a button column; only values
    that the rows offer get there.
    """
    made = [c if isinstance(c, Column) else Column(*c) for c in columns]
    return Table(
        made, rows, empty=empty, caption=caption, show_caption=show_caption, on_action=on_action
    )


def empty_state(title: str, text: str = "", action: Any | None = None) -> Element:
    """What stands where nothing is yet: why, and the button that changes it."""
    return Element(
        html(
            '<span class="co-empty-mark" aria-hidden="true"></span><p class="co-empty-title">{}</p>'
            '{}<div class="co-actions co-center" data-slot="action"></div>',
            title,
            html('<p class="co-muted">{}</p>', text) if text else "",
        ),
        classes="co-empty",
        slots={"action": [action] if action is not None else []},
    )


def definition_list(items: Iterable[tuple[str, object]]) -> Element:
    """Names with values; a value may be HTML made by `html`, `link` or `status_pill`."""
    rows = join(html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in items)
    return Element(html('<dl class="co-dl">{}</dl>', rows))


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """An entry of `timeline`: when (as words), what, more text, tone of its mark."""

    when: str
    title: str
    text: str = ""
    tone: Tone = "neutral"


def timeline(items: Iterable[TimelineItem], *, empty: str = "Nothing has happened yet.") -> Element:
    """Events in the order given."""
    rows = join(
        html(
            '<li class="co-event co-mark-{}"><p class="co-event-when">{}</p>'
            '<p class="co-event-title">{}</p>{}</li>',
            item.tone,
            item.when,
            item.title,
            html('<p class="co-text co-muted">{}</p>', item.text) if item.text else "",
        )
        for item in items
    )
    if not rows:
        return Element(html('<p class="co-empty-line">{}</p>', empty))
    return Element(html('<ol class="co-timeline">{}</ol>', rows))


def bullet_list(items: Iterable[object], *, empty: str = "") -> Element:
    """A plain list of texts or HTML."""
    rows = join(html("<li>{}</li>", item) for item in items)
    if not rows:
        return Element(html('<p class="co-empty-line">{}</p>', empty) if empty else "")
    return Element(html('<ul class="co-list">{}</ul>', rows))
