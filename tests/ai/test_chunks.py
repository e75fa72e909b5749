"""Splitting and joining: nothing twice, nothing lost, the same every time."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.chunks import halves, join, split
from coachops.ai.types import (
    ActionItem,
    AnalysisRequest,
    Behaviour,
    Citation,
    CitedText,
    CoachBehaviour,
    EngineResult,
    Modality,
    Owner,
    Speaker,
    Utterance,
)


def request(sizes: list[int]) -> AnalysisRequest:
    return AnalysisRequest(
        utterances=tuple(
            Utterance(position=number * 2, speaker=Speaker.CLIENT, text="x" * size)
            for number, size in enumerate(sizes, 1)
        ),
        session_date=dt.date(2026, 11, 2),
    )


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(100, 800), st.integers(1, 20))
def test_parts_follow_each_other_without_gap_or_overlap(
    sizes: list[int], max_chars: int, max_utterances: int
) -> None:
    whole = request(sizes)
    parts = split(whole, max_chars, max_utterances)
    assert tuple(each for part in parts for each in part.utterances) == whole.utterances
    for part in parts:
        assert len(part.utterances) <= max_utterances
        if len(part.utterances) > 1:
            assert sum(len(each.text) + 40 for each in part.utterances) <= max_chars
        assert part.session_date == whole.session_date


def test_a_short_session_is_one_part() -> None:
    assert split(request([10] * 20)) == [request([10] * 20)]


@given(st.lists(st.integers(0, 5), max_size=9))
def test_halves_are_the_whole(sizes: list[int]) -> None:
    whole = request(sizes)
    assert tuple(each for part in halves(whole) for each in part.utterances) == whole.utterances


def cite(position: int) -> list[Citation]:
    return [Citation(position=position, speaker=Speaker.CLIENT, quote=f"quote {position}")]


def result(position: int, **changes: object) -> EngineResult:
    parts: dict[str, object] = {
        "summary": [],
        "themes": [CitedText(text="Delegation", citations=cite(position))],
        "behaviours": [CoachBehaviour(position=position, behaviour=Behaviour.OTHER)],
        "action_items": [],
        "follow_up": [],
    }
    return EngineResult.model_validate(parts | changes)


def action(position: int, **changes: object) -> ActionItem:
    item: dict[str, object] = {
        "text": "Call Ann.",
        "owner": Owner.CLIENT,
        "modality": Modality.COMMITMENT,
        "citations": cite(position),
    }
    return ActionItem.model_validate(item | changes)


def test_a_theme_of_several_parts_is_one_with_all_its_citations() -> None:
    joined = join([result(1), result(5, themes=[CitedText(text="delegation", citations=cite(5))])])
    assert [each.text for each in joined.themes] == ["Delegation"]
    assert [each.position for each in joined.themes[0].citations] == [1, 5]
    assert [each.position for each in joined.behaviours] == [1, 5]


def test_a_commitment_said_twice_is_one_and_the_last_date_holds() -> None:
    first = action(1, due_date=dt.date(2026, 11, 5), due_phrase="Thursday")
    second = action(8, text="call  ann", due_date=dt.date(2026, 11, 6), due_phrase="Friday")
    (item,) = join([result(1, action_items=[first]), result(8, action_items=[second])]).action_items
    assert (item.due_phrase, [each.position for each in item.citations]) == ("Friday", [1, 8])


def test_a_carried_commitment_is_done_where_any_part_says_so() -> None:
    parts = [
        result(1, action_items=[action(1, carries="a")]),
        result(2, action_items=[action(2, carries="a", text="Rang her", done=True)]),
    ]
    (item,) = join(parts).action_items
    assert item.done
    assert join(parts) == join(parts)
