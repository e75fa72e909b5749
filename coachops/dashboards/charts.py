"""Charts that can be read without seeing them: title, summary in words, and the figures as a table.

    chart = line_chart([Series("Sessions", days, counts)], "Sessions a week", unit="sessions")
    chart.update([Series("Sessions", days, newer)])

x is a list of dates, aware datetimes, numbers or names (bars only); y holds numbers, None is a gap.
Lines break at gaps. All series of a chart share their x. The y axis always contains zero.
A line's series are told apart by dash as well as by colour; the legend shows the values at the
pointer, or the last ones.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypedDict, Unpack
from zoneinfo import ZoneInfo

import traitlets

from coachops.dashboards.components_base import Element, Part

Point = dt.date | dt.datetime | int | float | str
Kind = Literal["line", "bars", "stacked"]
MAX_POINTS: Final = 20_000  # per chart; a page shows trends, not raw rows


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one name.

    Attributes:
        label: its name in the legend and the table.
        x: dates, aware datetimes, numbers or (bars only) names; ascending unless names.
        y: a number for each x; None (or NaN) is a gap.
    """

    label: str
    x: Sequence[Point]
    y: Sequence[float | None]


class Chart(Part):
    """A chart whose data can be replaced. Made by `line_chart`, `bar_chart`, `stacked_bars`."""

    LIBRARY = "charts"
    kind = "chart"
    spec = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        kind: Kind,
        series: Iterable[Series],
        title: str,
        unit: str = "",
        *,
        summary: str = "",
        empty: str = "No data yet.",
        height: int = 240,
        time_zone: str = "UTC",
        axis: str = "",
    ) -> None:
        self._fixed = {
            "kind": kind, "title": title, "unit": unit, "empty": empty, "height": height,
            "zone": time_zone,
        }  # fmt: skip
        self._axis, self._summary = axis, summary
        super().__init__(spec=self._spec(list(series), summary))

    def update(self, series: Iterable[Series], *, summary: str = "") -> None:
        """Show other data; the drawing keeps its place, so a live chart does not flicker."""
        self.spec = self._spec(list(series), summary or self._summary)

    def _spec(self, series: list[Series], summary: str) -> dict[str, object]:
        x, names, ticks, scale, zone = _axis_of(series, str(self._fixed["zone"]))
        if scale == "names" and self._fixed["kind"] == "line":
            raise ValueError("a line needs dates or numbers on its x axis; use bar_chart for names")
        shown = [{"label": s.label, "values": [_number(v) for v in s.y]} for s in series]
        if all(v is None for one in shown for v in one["values"]):
            x, names, ticks = [], [], []  # an axis without a value says nothing
            shown = [{**one, "values": []} for one in shown]
        default = "Date" if scale == "time" else ""
        return {
            **self._fixed,
            "zone": zone,
            "series": shown,
            "x": x,
            "names": names,
            "ticks": ticks,
            "labels": names if scale == "names" else [],
            "scale": scale,
            "axis": self._axis or default or "Name",
            "spoken": not summary,  # words made from the data are for those who do not see it
            "summary": summary or describe(series, names, str(self._fixed["unit"])),
        }

    def text(self) -> str:
        """Title and summary: for tests."""
        return f"{self.spec['title']} {self.spec['summary']}"


def _number(value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError("a chart cannot show an infinite value")
    return value if isinstance(value, int) else float(value)


def _axis_of(
    series: list[Series], zone: str
) -> tuple[list[float], list[str], list[str], Literal["time", "numbers", "names"], str]:
    """The shared x as numbers, as words for the table, as short tick labels, its kind and zone.

    A plain date has no zone: it is that day everywhere, so it is placed and read in UTC.
    """
    if not series or not series[0].x:
        return [], [], [], "numbers", zone
    points = list(series[0].x)
    for one in series:
        if list(one.x) != points or len(one.y) != len(points):
            raise ValueError(f"series {one.label!r} does not share the chart's x, or lacks values")
    if len(points) * len(series) > MAX_POINTS:
        raise ValueError(f"a chart shows at most {MAX_POINTS} points; aggregate first")
    first = points[0]
    if isinstance(first, str):
        return [float(i) for i in range(len(points))], [str(p) for p in points], [], "names", zone
    if isinstance(first, dt.date):
        moments = [_moment(p) for p in points]
        with_time = isinstance(first, dt.datetime)
        zone = zone if with_time else "UTC"
        local = [m.astimezone(ZoneInfo(zone)) for m in moments]
        names = [f"{m:%-d %b %Y %H:%M}" if with_time else f"{m:%-d %b %Y}" for m in local]
        result = [m.timestamp() for m in moments]
        months = all(m.day == 1 for m in local) and not with_time
        ticks = [f"{m:%b %Y}" if months else f"{m:%-d %b}" for m in local]
        _ascending(result)
        return result, names, ticks, "time", zone
    numbers = [float(p) for p in points if not isinstance(p, str | dt.date)]
    _ascending(numbers)
    return numbers, [f"{n:g}" for n in numbers], [], "numbers", zone


def _moment(point: Point) -> dt.datetime:
    if isinstance(point, dt.datetime):
        if point.tzinfo is None:
            raise ValueError("a time on a chart needs a time zone")
        return point
    if isinstance(point, dt.date):
        return dt.datetime(point.year, point.month, point.day, tzinfo=dt.UTC)
    raise TypeError("x mixes dates with other things")


def _ascending(values: Sequence[float]) -> None:
    if any(b <= a for a, b in itertools.pairwise(values)):
        raise ValueError("x must ascend")


def describe(series: Sequence[Series], names: Sequence[str], unit: str) -> str:
    """What the chart shows, in a sentence or two: latest, lowest and highest of up to 3 series."""
    sentences = []
    for one in series[:3]:
        known = [(v, names[i]) for i, v in enumerate(map(_number, one.y)) if v is not None]
        if not known:
            sentences.append(f"{one.label}: no values.")
            continue
        last, where = known[-1]
        text = f"{one.label}: {_say(last, unit)} ({where})"
        low, high = min(known)[0], max(known)[0]
        if len(known) > 1:
            text += f", between {low:,.4g} and {high:,.4g} over {len(known)} points"
        sentences.append(text + ".")
    if len(series) > 3:
        sentences.append(f"{len(series) - 3} more in the table.")
    return " ".join(sentences) if any(s.x for s in series) else "No data."


def _say(value: float, unit: str) -> str:
    return f"{value:,.4g} {unit}".strip()


class Look(TypedDict, total=False):
    """How a chart is shown beyond its data.

    Attributes:
        summary: what it shows in words, above the plot; without it, words made from the data are
            there for screen readers only.
        empty: what stands there without any value.
        height: of the plot, pixels.
        time_zone: in which times are shown; plain dates have none.
        axis: heading of the x column in the table.
    """

    summary: str
    empty: str
    height: int
    time_zone: str
    axis: str


def line_chart(series: Iterable[Series], title: str, unit: str = "", **look: Unpack[Look]) -> Chart:
    """Lines over dates, times or numbers; `unit` (such as "%") stands beside the title."""
    return Chart("line", series, title, unit, **look)


def bar_chart(series: Iterable[Series], title: str, unit: str = "", **look: Unpack[Look]) -> Chart:
    """Bars over names, dates or numbers; several series stand side by side."""
    return Chart("bars", series, title, unit, **look)


def stacked_bars(
    series: Iterable[Series], title: str, unit: str = "", **look: Unpack[Look]
) -> Chart:
    """Bars whose series stand on each other, the first below; values must not be negative."""
    chosen = list(series)
    if any((v or 0) < 0 for s in chosen for v in s.y):
        raise ValueError("stacked bars cannot show negative values")
    return Chart("stacked", chosen, title, unit, **look)


def chart_card(chart: Chart) -> Element:
    """A chart on a surface of its own; its title is the card's."""
    return Element(children=[chart], classes="co-card")
