"""What report notebooks show: title block, tiles, tables, and charts as inline SVG.

Each is an object that a notebook displays by itself (`_repr_html_`). Static on purpose: a report is
read in a mail, on paper and in ten years. A chart carries a summary in words and its values as a
table, so it can be read without seeing it; the y axis contains zero; a week that is still running
is hatched and named.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 760, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 14, 40
_ACCENT, _LINE, _MUTED = "#0b6b66", "#dde2e8", "#535f6d"

STYLE = """
.co-r-head{background:#132b33;color:#e9eef2;border-radius:12px;padding:20px 24px;margin:12px 0 20px}
.co-r-head p{margin:0;max-width:none}
.co-r-head .co-r-when{font-size:22px;font-weight:650;letter-spacing:-.01em}
.co-r-head .co-r-meta{color:#b9c5cf;font-size:13px;margin-top:4px}
.co-r-chip{display:inline-block;background:#fdf3dd;color:#744500;border-radius:999px;padding:2px 10px;
font-size:13px;font-weight:600;margin-top:10px}
.co-r-tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(175px,1fr));gap:12px;margin:12px 0}
.co-r-tile{background:#fff;border:1px solid #dde2e8;border-radius:10px;padding:14px 16px;color:#17212d}
.co-r-tile dt{color:#535f6d;font-size:13px}
.co-r-tile dd{margin:0}
.co-r-tile .co-r-value{font-size:26px;font-weight:650;letter-spacing:-.02em;line-height:1.3}
.co-r-tile .co-r-note{color:#535f6d;font-size:12.5px}
.co-r-figure{background:#fff;border:1px solid #dde2e8;border-radius:10px;padding:16px;margin:12px 0;
color:#17212d}
.co-r-figure figcaption{font-weight:600;margin-bottom:2px}
.co-r-figure .co-r-note,.co-r-figure details{color:#535f6d;font-size:13px}
.co-r-figure svg{width:100%;height:auto;display:block;margin:8px 0}
.co-r-scroll{overflow-x:auto}
table.co-r-table{border-collapse:collapse;width:100%;font-size:13.5px;margin:4px 0;color:#17212d}
.co-r-table th{text-align:left;color:#535f6d;font-weight:600;border-bottom:1px solid #7d8896;
padding:6px 10px 6px 0;vertical-align:bottom}
.co-r-table td{border-bottom:1px solid #dde2e8;padding:6px 10px 6px 0;vertical-align:top}
.co-r-table .co-r-number{text-align:right;font-variant-numeric:tabular-nums}
.co-r-table .co-r-fix{white-space:nowrap}
.co-r-empty{color:#535f6d;margin:4px 0}
"""


@dataclass(frozen=True, slots=True)
class Html:
    """A piece of HTML that a notebook shows; `text` is what a reader without HTML gets."""

    markup: str
    text: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.text


def title_block(when: str, meta: str, warning: str = "") -> Html:
    """What the report is about: the span, its sources, and a warning where there is one."""
    chip = f'<p class="co-r-chip">{_e(warning)}</p>' if warning else ""
    markup = (
        f'<style>{STYLE}</style><div class="co-r-head"><p class="co-r-when">{_e(when)}</p>'
        f'<p class="co-r-meta">{_e(meta)}</p>{chip}</div>'
    )
    return Html(markup, "\n".join(part for part in (when, meta, warning) if part))


def tiles(rows: Sequence[tuple[str, str, str]]) -> Html:
    """Numbers to take in at a glance: (label, value, note with n) each."""
    cells = "".join(
        f'<div class="co-r-tile"><dt>{_e(label)}</dt><dd class="co-r-value">{_e(value)}</dd>'
        f'<dd class="co-r-note">{_e(note)}</dd></div>'
        for label, value, note in rows
    )
    text = "\n".join(f"{label}: {value} ({note})" for label, value, note in rows)
    return Html(f'<dl class="co-r-tiles">{cells}</dl>', text)


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, note: str = ""
) -> Html:
    """A table with a caption; numbers stand right, an empty one says so."""
    body = _table(columns, rows) if rows else '<p class="co-r-empty">Nothing to show.</p>'
    markup = (
        f'<figure class="co-r-figure"><figcaption>{_e(caption)}</figcaption>{_note(note)}'
        f"{body}</figure>"
    )
    lines = (
        [caption, *("  ".join(map(_cell, row)) for row in rows)] if rows else [caption, "nothing"]
    )
    return Html(markup, "\n".join(lines))


def bars(
    title: str,
    labels: Sequence[str],
    values: Sequence[float],
    *,
    unit: str,
    note: str = "",
    unfinished: Sequence[bool] = (),
) -> Html:
    """A bar chart.

    Parameters:
        labels: below the bars; long rows show every second, third, … of them.
        values: not negative.
        unit: what is counted.
        note: definition and n.
        unfinished: True for bars whose span is still running: they are hatched and named.
    """
    pending = list(unfinished) or [False] * len(values)
    summary = _summary(labels, values, unit, pending)
    marked = [
        f"{label} (not over yet)" if open_ else label
        for label, open_ in zip(labels, pending, strict=True)
    ]
    drawn = _svg(title, summary, labels, values, pending)
    legend = "Hatched: the week is not over yet. " if any(pending) else ""
    markup = (
        f'<figure class="co-r-figure"><figcaption>{_e(title)}</figcaption>{_note(legend + note)}'
        f"{drawn}<details><summary>The values as a table</summary>"
        f"{_table(['', unit], list(zip(marked, values, strict=True)))}</details></figure>"
    )
    return Html(markup, f"{title}: {summary}")


def number(value: float | None, unit: str = "") -> str:
    """A number for readers: three significant digits, thousands apart, a dash for none."""
    if value is None:
        return "—"
    if isinstance(value, int) or float(value).is_integer():
        shown = f"{int(value):,}"
    elif abs(value) >= 1000:
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.3g}"
    if unit == "USD":
        return f"${value:,.2f}"
    return f"{shown}{' ' if unit and unit != '%' else ''}{unit}"


def duration(seconds: float | None) -> str:
    """A duration for readers: 38 s, 12 min, 5.2 h, 3.1 days."""
    if seconds is None:
        return "—"
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"


def _summary(
    labels: Sequence[str], values: Sequence[float], unit: str, pending: Sequence[bool]
) -> str:
    done = [
        (v, label) for v, label, open_ in zip(values, labels, pending, strict=True) if not open_
    ]
    if not done:
        return "no finished span"
    low, high = min(done), max(done)
    return (
        f"{len(done)} values, from {number(low[0])} {unit} ({low[1]}) to {number(high[0])} {unit} "
        f"({high[1]}); the last is {number(done[-1][0])} ({done[-1][1]})"
    )


def _svg(
    title: str,
    summary: str,
    labels: Sequence[str],
    values: Sequence[float],
    pending: Sequence[bool],
) -> str:
    top = _nice(max([*values, 1]))
    inner = _HEIGHT - _TOP - _BOTTOM
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    width = min(step * 0.72, 64)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{_e(f"{title}: {summary}")}">',
        '<defs><pattern id="co-r-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="6" height="6" fill="#e3f1ef"/>'
        f'<rect width="2.5" height="6" fill="{_ACCENT}"/></pattern></defs>',
    ]
    for k in range(5):
        y = _TOP + inner * (1 - k / 4)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{_LINE if k else _MUTED}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" font-size="12" '
            f'fill="{_MUTED}">{number(top * k / 4)}</text>'
        )
    every = max(1, math.ceil(len(labels) / 12))
    for index, (label, value, open_) in enumerate(zip(labels, values, pending, strict=True)):
        middle = _LEFT + step * (index + 0.5)
        height = inner * value / top
        fill = "url(#co-r-hatch)" if open_ else _ACCENT
        parts.append(
            f'<rect x="{middle - width / 2:.1f}" y="{_TOP + inner - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" fill="{fill}" rx="2"/>'
        )
        if (len(labels) - 1 - index) % every == 0:
            parts.append(
                f'<text x="{middle:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle" '
                f'font-size="12" fill="{_MUTED}">{_e(label)}</text>'
            )
    return "".join([*parts, "</svg>"])


def _nice(value: float) -> float:
    """The next round number whose quarters are round as well."""
    size = 10 ** math.floor(math.log10(value))
    for factor in (1, 2, 4, 6, 8, 10):
        if value <= factor * size:
            return max(4.0, float(factor * size))
    return float(10 * size)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    classes = [_class([row[k] for row in rows]) for k in range(len(columns))]

    def line(tag: str, cells: Sequence[object]) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(
            f"<{tag}{scope}{kind}>{_e(_cell(cell))}</{tag}>"
            for cell, kind in zip(cells, classes, strict=True)
        )

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return (
        f'<div class="co-r-scroll" tabindex="0"><table class="co-r-table"><thead><tr>'
        f"{line('th', columns)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _class(values: Sequence[object]) -> str:
    """Numbers stand right; days and codes are not broken into two lines."""
    if all(isinstance(value, int | float) for value in values):
        return ' class="co-r-number"'
    if all(len(str(value)) <= 14 and " " not in str(value) for value in values):
        return ' class="co-r-fix"'
    return ""


def _cell(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _note(text: str) -> str:
    return f'<p class="co-r-note">{_e(text)}</p>' if text else ""


def _e(text: str) -> str:
    return html.escape(text, quote=True)
