"""Charts and transcripts: what is sent to the page, in numbers and in words."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from coachops.dashboards.charts import (
    MAX_POINTS,
    Series,
    bar_chart,
    line_chart,
    stacked_bars,
)
from coachops.dashboards.components import Button, Part, card, sparkline_svg
from coachops.dashboards.transcript_view import Cited, TranscriptView, citation, cited_list

DAYS = [dt.date(2026, 11, d) for d in (1, 2, 3)]


def test_gaps_stay_gaps() -> None:
    chart = line_chart([Series("A", DAYS, [1, None, math.nan])], "T")
    assert chart.spec["series"][0]["values"] == [1, None, None]


def test_dates_are_that_day_whatever_the_zone() -> None:
    chart = line_chart([Series("A", DAYS, [1, 2, 3])], "T", time_zone="America/New_York")
    assert chart.spec["names"] == ["1 Nov 2026", "2 Nov 2026", "3 Nov 2026"]
    assert chart.spec["zone"] == "UTC"


def test_times_are_read_in_their_zone() -> None:
    noon = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
    chart = line_chart([Series("A", [noon], [1])], "T", time_zone="Europe/Berlin")
    assert chart.spec["names"] == ["1 Nov 2026 13:00"]


@pytest.mark.parametrize("series", [[], [Series("A", [], [])], [Series("A", DAYS, [None] * 3)]])
def test_without_a_value_there_is_an_empty_state(series: list[Series]) -> None:
    chart = line_chart(series, "T", empty="No sessions yet.")
    assert chart.spec["x"] == []
    assert chart.spec["empty"] == "No sessions yet."


def test_the_words_say_latest_lowest_and_highest() -> None:
    chart = line_chart([Series("Sessions", DAYS, [5, 1, 3])], "T", "per day")
    expected = "Sessions: 3 per day (3 Nov 2026), between 1 and 5 over 3 points."
    assert chart.spec["summary"] == expected
    assert chart.spec["spoken"]
    assert not line_chart([], "T", summary="Falling.").spec["spoken"]


def test_update_replaces_data_and_words_but_keeps_the_frame() -> None:
    chart = line_chart([Series("A", DAYS, [1, 2, 3])], "T", "u")
    chart.update([Series("A", DAYS, [4, 5, 6])])
    assert chart.spec["series"][0]["values"] == [4, 5, 6]
    assert (chart.spec["title"], chart.spec["unit"]) == ("T", "u")
    assert "6 u" in chart.spec["summary"]


def test_bars_take_names_in_their_order() -> None:
    chart = bar_chart([Series("A", ["Zoe", "Ada"], [1, 2])], "T")
    assert chart.spec["labels"] == ["Zoe", "Ada"]
    assert chart.spec["scale"] == "names"


@pytest.mark.parametrize(
    "series",
    [
        [Series("A", ["x"], [1])],  # a line over names
        [Series("A", DAYS, [1, 2])],  # too few values
        [Series("A", DAYS, [1, 2, 3]), Series("B", DAYS[:2], [1, 2])],  # other x
        [Series("A", DAYS[::-1], [1, 2, 3])],  # descending
        [Series("A", [dt.datetime(2026, 1, 1)], [1])],  # noqa: DTZ001 a naive time is the case
        [Series("A", DAYS, [1, math.inf, 3])],
        [Series("A", range(MAX_POINTS + 1), range(MAX_POINTS + 1))],
    ],
)
def test_data_that_would_mislead_is_refused(series: list[Series]) -> None:
    with pytest.raises(ValueError, match=r"."):
        line_chart(series, "T")


def test_stacked_bars_refuse_negative_values() -> None:
    with pytest.raises(ValueError, match="negative"):
        stacked_bars([Series("A", ["x"], [-1])], "T")


def test_the_line_of_a_number_breaks_at_gaps() -> None:
    assert sparkline_svg([1, 2, None, 4, 5]).count("M") == 2


# -- transcript -----------------------------------------------------------------------------------


def utterance(position: int, **more: object) -> dict[str, object]:
    return {"position": position, "speaker": "coach", "text": f"Words {position}", **more}


def message(widget: Part, **content: object) -> None:
    widget._on_message(widget, content, [])


def test_times_flags_and_names_become_words() -> None:
    view = TranscriptView(
        [
            utterance(1, time=65_000, behaviour="question", corrected=True, cut=True),
            utterance(2, time=3_725_000, name="Ada", redacted=True, speaker="client"),
            utterance(3, time="00:12", speaker="other"),
        ]
    )
    assert view.rows == [
        [1, "coach", "Coach", "1:05", "Words 1", "Question", ["corrected", "cut"]],
        [2, "client", "Ada", "1:02:05", "Words 2", "", ["redacted"]],
        [3, "other", "Other", "00:12", "Words 3", "", []],
    ]


@pytest.mark.parametrize(
    "rows",
    [[utterance(1), utterance(1)], [utterance(1, speaker="therapist")], [utterance("1")]],  # type: ignore[arg-type]
)
def test_utterances_without_an_own_position_or_known_speaker_are_refused(
    rows: list[dict[str, object]],
) -> None:
    with pytest.raises(ValueError, match="position"):
        TranscriptView(rows)


def test_the_selection_holds_only_utterances_that_are_there() -> None:
    seen: list[tuple[int, ...]] = []
    view = TranscriptView([utterance(i) for i in (1, 2, 3)], selectable=True, on_select=seen.append)
    for forged in ([4], ["1"], [True], "1", None, [[1]]):
        message(view, event="select", positions=forged)
    assert seen == []
    message(view, event="select", positions=[3, 1])
    assert view.selected == (1, 3)
    assert seen == [(1, 3)]
    view.set_utterances([utterance(3)])
    assert view.selected == (3,)


def test_without_selectable_nothing_can_be_selected() -> None:
    view = TranscriptView([utterance(1)])
    message(view, event="select", positions=[1])
    assert view.selected == ()


def test_citations_name_their_transcript_and_escape_their_sentence() -> None:
    view = TranscriptView([utterance(12)])
    made = cited_list([Cited("<b>Maya</b> agreed", [12], label="Proposal")], view)
    assert f'data-jump="12" data-view="{view.view_id}"' in made.content
    assert "<b>" not in made.content
    assert "Show utterance 12" in citation(12, view)
    assert cited_list([], view, empty="Not discussed.").text() == "Not discussed."


def test_widgets_are_found_below_a_card() -> None:
    view = TranscriptView([utterance(1)])
    assert card("T", [view]).find(TranscriptView) == [view]
    assert card("T", [view]).find(Button) == []
