"""Parts of the admin pages: tiles and bars whose numbers change in place, and how numbers read.

A refresh replaces numbers only: what a person has opened (a definition, a table) stays open, and
the keyboard focus stays where it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from coachops.core.actor import Actor
from coachops.dashboards.components import Element, NavItem, Tone, html, join, sparkline_svg
from coachops.identity import PAGES
from coachops.identity.pages import may_open
from coachops.monitoring import Figure


def style() -> Element:
    """The rules of the admin pages, beside those of the design system."""
    rules = (Path(__file__).parent / "overview.css").read_text(encoding="utf-8")
    return Element(Markup(f"<style>{rules}</style>"), classes="ov-style")  # noqa: S704 our own file


def navigation(actor: Actor, current: str) -> list[NavItem]:
    """The links of the top bar: the pages that this person may open, and the guide."""
    pages = [
        NavItem(page.title, f"/app/{page.name}", current=page.name == current)
        for page in PAGES
        if may_open(page, actor)
    ]
    return [*pages, NavItem("Guide", "/guide/")]


_SMALL = 30
"""Counts below this change by a number, not by a share: `50% more` of two says too much."""


class Tile(Element):
    """A number with its name, base and definition.

    Parameters:
        label: what it is.
        definition: how it is counted, behind "How this is counted"; or see `define`.
    """

    def __init__(self, label: str, definition: str = "") -> None:
        self.label = label
        self._number = Element(classes="ov-tile-number")
        self._definition = Element(html("<p>{}</p>", definition))
        super().__init__(
            html(
                '<p class="co-metric-label">{0}</p><div data-slot="number"></div>'
                '<details class="co-definition"><summary>How this is counted'
                '<span class="co-hidden">: {0}</span></summary><div data-slot="definition"></div>'
                "</details>",
                label,
            ),
            tag="article",
            classes="co-metric ov-tile",
            slots={"number": [self._number], "definition": [self._definition]},
        )
        self.value = self.detail = self.change = ""

    def define(self, figure: Figure) -> None:
        """Take the definition of a figure of monitoring."""
        self._definition.set_content(html("<p>{}</p>", figure.definition))

    def show(
        self,
        value: str,
        detail: str,
        *,
        change: str = "",
        tone: Tone = "neutral",
        trend: Sequence[float | None] = (),
    ) -> None:
        """Replace the number, its base, its change and the line of its weeks."""
        self.value, self.detail, self.change = value, detail, change
        self._number.set_content(
            html(
                '<div class="co-metric-line"><p class="co-metric-value">{}</p>{}</div>'
                '<p class="co-metric-detail">{}</p><p class="co-metric-change co-text-{}">{}</p>',
                value,
                sparkline_svg(trend, width=72),
                detail,
                tone,
                change,
            )
        )


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of `bars`.

    Attributes:
        label: what is counted.
        number: how many.
        tone: colour of the bar; the words say what it means.
        note: words behind the number.
    """

    label: str
    number: int
    tone: Tone = "neutral"
    note: str = ""


def bars(rows: Iterable[Bar], whole: int) -> Markup:
    """Counts of a whole as a list with a bar each; readable as text alone."""
    items = join(
        html(
            '<li class="ov-bar"><span class="ov-bar-label">{}</span>'
            '<span class="ov-bar-track" aria-hidden="true">'
            '<span class="ov-bar-fill ov-fill-{}" style="width:{}%"></span></span>'
            '<span class="ov-bar-number"><strong>{}</strong>{}</span></li>',
            row.label,
            row.tone,
            # a thing that is there shows, however small its share
            max(1.5, round(100 * row.number / whole, 1)) if row.number and whole else 0,
            f"{row.number:,}",
            html('<span class="ov-bar-note"> {}</span>', row.note or share(row.number, whole)),
        )
        for row in rows
    )
    return html('<ul class="ov-bars">{}</ul>', items)


def share(part: int, whole: int) -> str:
    """A share in per cent, such as `12%`; empty without a whole."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1%"
    if 99 < percent < 100:
        return ">99%"
    return f"{percent:.0f}%"


def duration(seconds: float | None) -> str:
    """A length of time as people say it: `45 s`, `12 min`, `3.5 h`, `4 days`."""
    if seconds is None:
        return "\u2013"
    if seconds < 1:
        return "<1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.1f} h".replace(".0 h", " h")
    return f"{seconds / 86_400:.1f} days".replace(".0 days", " days")


def money(dollars: float) -> str:
    """An amount in US dollars: cents where it is small enough for them to matter."""
    if dollars == 0:
        return "$0"
    if dollars < 0.01:
        return "<$0.01"
    return f"${dollars:,.2f}" if dollars < 1_000 else f"${dollars:,.0f}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def change(now: float | None, before: float | None, words: str) -> str:
    """How a number moved against the span before, such as `Up 12% from 240`; `words` is `before`."""
    if now is None or before is None:
        return ""
    if now == before:
        return f"Same as before ({words})"
    if before == 0:
        return f"Up from {words}"
    if isinstance(now, int) and isinstance(before, int) and max(now, before) < _SMALL:
        return f"{abs(now - before)} {'more' if now > before else 'fewer'} than before ({words})"
    moved = round(100 * abs(now - before) / before)
    if moved == 0:
        return f"About the same as before ({words})"
    if now > 3 * before:
        return f"{now / before:.1f} times {words}"
    return f"{'Up' if now > before else 'Down'} {moved}% from {words}"


def clock_time(at: dt.datetime, zone: dt.tzinfo) -> str:
    """`14:03:10` in the organisation's time zone."""
    return f"{at.astimezone(zone):%H:%M:%S}"


def moment(at: dt.datetime, zone: dt.tzinfo) -> str:
    """`Fri 20 Nov 2026, 14:03`."""
    return f"{at.astimezone(zone):%a %-d %b %Y, %H:%M}"


def ago(at: dt.datetime, now: dt.datetime) -> str:
    """How long ago a moment was, as people say it."""
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3_600:
        return f"{seconds // 60} min ago"
    if seconds < 172_800:
        return f"{seconds // 3_600} h ago"
    return f"{seconds // 86_400} days ago"
