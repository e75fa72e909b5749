"""Figures can be read without seeing them, and nothing in them is taken for markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from coachops.reporting.figures import bars, duration, number, table, tiles, title_block

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(f"<div>{markup}</div>")  # noqa: S314 our own markup


@given(values=st.lists(st.integers(0, 10**6), min_size=1, max_size=40), title=TEXT, label=TEXT)
def test_a_chart_is_well_formed_has_words_and_its_values_as_a_table(
    values: list[int], title: str, label: str
) -> None:
    chart = bars(title, [label] * len(values), values, unit="things", note="n")
    root = parsed(chart.markup)
    svg = next(e for e in root.iter() if e.tag.endswith("svg"))
    assert svg.get("role") == "img"
    assert (svg.get("aria-label") or "").startswith(title)
    assert len(list(root.iter("tr"))) == len(values) + 1
    heights = [float(e.get("height") or 0) for e in svg.findall("rect")]
    assert len(heights) == len(values)
    assert all(0 <= height <= 180 for height in heights)


def test_heights_are_in_proportion_from_zero() -> None:
    svg = next(e for e in parsed(bars("t", ["a", "b"], [10, 40], unit="u").markup).iter("svg"))
    low, high = (float(e.get("height") or 0) for e in svg.findall("rect"))
    assert abs(high / low - 4) < 0.01


def test_a_running_week_is_hatched_named_and_left_out_of_the_summary() -> None:
    chart = bars("t", ["w1", "w2"], [30, 2], unit="u", unfinished=[False, True])
    assert "url(#co-r-hatch)" in chart.markup
    assert "not over yet" in chart.markup
    assert "1 values" in chart.text
    assert "2 u" not in chart.text


@given(cell=TEXT)
def test_tables_and_tiles_escape_what_they_show(cell: str) -> None:
    for part in (
        table(cell, [cell, "n"], [[cell, 1], [cell, 2.5]], note=cell),
        tiles([(cell, cell, cell)]),
        table(cell, [cell], []),
    ):
        parsed(part.markup)
    assert "<b>" not in title_block("<b>", "<b>", "<b>").markup
    assert "Nothing to show" in table("t", ["a"], []).markup


def test_numbers_and_durations_for_readers() -> None:
    assert number(None) == "—"
    assert number(1234567) == "1,234,567"
    assert number(0.123456) == "0.123"
    assert number(98.76, "%") == "98.8%"
    assert number(3.5, "USD") == "$3.50"
    assert [duration(s) for s in (None, 38, 720, 18_720, 267_840)] == [
        "—", "38 s", "12 min", "5.2 h", "3.1 days",
    ]  # fmt: skip
