"""The citation check: what does not stand in the transcript never reaches a coach."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.types import (
    ActionItem,
    AnalysisRequest,
    Behaviour,
    Citation,
    CitedText,
    CoachBehaviour,
    EngineResult,
    Modality,
    OpenCommitment,
    Owner,
    Speaker,
    Utterance,
)
from coachops.coaching.citations import REASONS, Checked, check, normal, quote_holds

UTTERANCES = (
    Utterance(position=1, speaker=Speaker.COACH, text="What  would\nyou like to do by Friday?"),
    Utterance(position=2, speaker=Speaker.CLIENT, text="I will call Ann by Friday. [redacted]"),
    Utterance(position=5, speaker=Speaker.COACH, text="I'll send you the list."),
)
REQUEST = AnalysisRequest(
    utterances=UTTERANCES,
    session_date=dt.date(2026, 11, 2),
    open_commitments=(OpenCommitment(id="a1", owner=Owner.CLIENT, text="Call Bob"),),
)


def cite(position: int, quote: str, speaker: Speaker | None = None) -> Citation:
    known = {each.position: each.speaker for each in UTTERANCES}
    return Citation(
        position=position, speaker=speaker or known.get(position, Speaker.COACH), quote=quote
    )


def checked(**parts: object) -> Checked:
    names = ("summary", "themes", "behaviours", "action_items", "follow_up")
    empty: dict[str, object] = {name: [] for name in names}
    return check(EngineResult.model_validate(empty | parts), REQUEST)


def sentence(*citations: Citation) -> dict[str, object]:
    return {"summary": [CitedText(text="Something was said.", citations=list(citations))]}


def action(**changes: object) -> dict[str, object]:
    item: dict[str, object] = {
        "text": "Call Ann",
        "owner": Owner.CLIENT,
        "modality": Modality.COMMITMENT,
        "citations": [cite(2, "I will call Ann by Friday")],
    }
    return {"action_items": [ActionItem.model_validate(item | changes)]}


def test_what_holds_is_kept_whole() -> None:
    found = checked(**sentence(cite(1, "What would you like"), cite(2, "call Ann")))
    assert len(found.result.summary[0].citations) == 2
    assert found.dropped == {}


@pytest.mark.parametrize(
    ("citations", "reason"),
    [
        ([], "no_citation"),
        ([cite(3, "I will")], "position_unknown"),
        ([cite(2, "call Ann", Speaker.COACH)], "speaker_mismatch"),
        ([cite(2, "I will phone Ann")], "quote_not_found"),
        ([cite(2, "i will call ann")], "quote_not_found"),
        ([cite(2, "[redacted]")], "quote_not_found"),
        ([cite(2, " . ")], "quote_not_found"),
    ],
)
def test_a_sentence_without_support_is_dropped_and_counted(
    citations: list[Citation], reason: str
) -> None:
    found = checked(**sentence(*citations))
    assert found.result.summary == []
    assert found.dropped == {reason: 1}


def test_one_bad_citation_of_two_is_taken_out_and_counted() -> None:
    found = checked(**sentence(cite(2, "call Ann"), cite(2, "call Bob")))
    assert [each.quote for each in found.result.summary[0].citations] == ["call Ann"]
    assert found.dropped == {"citation_removed": 1}


def test_a_commitment_must_be_said_by_its_owner() -> None:
    found = checked(**action(owner=Owner.COACH))
    assert found.result.action_items == []
    assert found.dropped == {"owner_not_speaker": 1}


def test_a_commitment_of_nobody_is_none() -> None:
    assert checked(**action(owner=Owner.UNASSIGNED)).dropped == {"owner_not_speaker": 1}


def test_a_proposal_that_its_owner_did_not_say_belongs_to_nobody() -> None:
    found = checked(**action(owner=Owner.COACH, modality=Modality.PROPOSAL))
    assert found.result.action_items[0].owner is Owner.UNASSIGNED


def test_a_date_that_was_said_is_kept() -> None:
    found = checked(**action(due_date=dt.date(2026, 11, 6), due_phrase="by Friday"))
    assert found.result.action_items[0].due_date == dt.date(2026, 11, 6)


@pytest.mark.parametrize(
    ("due_date", "due_phrase", "reason"),
    [
        (dt.date(2026, 11, 6), None, "date_not_said"),
        (dt.date(2026, 11, 6), "by Monday", "date_not_said"),
        (None, "soon", "date_not_said"),
        (dt.date(2026, 11, 1), "by Friday", "date_before_session"),
    ],
)
def test_a_date_nobody_said_is_taken_out_and_counted(
    due_date: dt.date | None, due_phrase: str | None, reason: str
) -> None:
    found = checked(**action(due_date=due_date, due_phrase=due_phrase))
    assert found.result.action_items[0].due_date is None
    assert found.dropped == {reason: 1}


def test_an_unknown_carried_commitment_becomes_a_new_one() -> None:
    found = checked(**action(carries="zz", done=True))
    assert found.result.action_items[0].carries is None
    assert not found.result.action_items[0].done
    assert found.dropped == {"carries_unknown": 1}


def test_a_carried_commitment_may_be_reported_by_the_other() -> None:
    quote = cite(5, "I'll send you the list.")
    found = checked(**action(carries="a1", done=True, citations=[quote]))
    assert found.result.action_items[0].done


def test_behaviours_are_for_the_coach_once_each() -> None:
    found = checked(
        behaviours=[
            CoachBehaviour(position=1, behaviour=Behaviour.QUESTION),
            CoachBehaviour(position=1, behaviour=Behaviour.OTHER),
            CoachBehaviour(position=2, behaviour=Behaviour.OTHER),
            CoachBehaviour(position=9, behaviour=Behaviour.OTHER),
        ]
    )
    assert [each.behaviour for each in found.result.behaviours] == [Behaviour.QUESTION]
    assert found.dropped == {"behaviour_not_coach": 2, "behaviour_repeated": 1}


def test_typed_notes_get_no_behaviours() -> None:
    result = EngineResult(
        summary=[],
        themes=[],
        behaviours=[CoachBehaviour(position=1, behaviour=Behaviour.OTHER)],
        action_items=[],
        follow_up=[],
    )
    notes = REQUEST.model_copy(update={"coach_account": True})
    assert check(result, notes).result.behaviours == []


TEXTS = st.text(st.sampled_from("ab \n\t.é[]"), max_size=20)
CITATIONS = st.builds(
    Citation,
    position=st.integers(1, 4),
    speaker=st.sampled_from(Speaker),
    quote=TEXTS.filter(bool),
)
ITEMS = st.builds(
    ActionItem,
    text=TEXTS.filter(bool),
    owner=st.sampled_from(Owner),
    modality=st.sampled_from(Modality),
    due_date=st.none() | st.dates(dt.date(2026, 10, 1), dt.date(2026, 12, 1)),
    due_phrase=st.none() | TEXTS,
    carries=st.none() | st.sampled_from(["a1", "x"]),
    done=st.booleans(),
    citations=st.lists(CITATIONS, max_size=3),
)


@given(
    st.lists(st.tuples(st.sampled_from(Speaker), TEXTS), max_size=4),
    st.lists(ITEMS, max_size=4),
    st.lists(
        st.builds(CitedText, text=TEXTS.filter(bool), citations=st.lists(CITATIONS)), max_size=4
    ),
)
def test_whatever_an_engine_says_only_what_stands_in_the_transcript_comes_out(
    lines: list[tuple[Speaker, str]], items: list[ActionItem], texts: list[CitedText]
) -> None:
    utterances = tuple(
        Utterance(position=position, speaker=speaker, text=text)
        for position, (speaker, text) in enumerate(lines, 1)
    )
    request = REQUEST.model_copy(update={"utterances": utterances})
    result = EngineResult(
        summary=texts, themes=[], behaviours=[], action_items=items, follow_up=texts
    )
    found = check(result, request)
    by_position = {each.position: each for each in utterances}
    kept = [*found.result.summary, *found.result.follow_up, *found.result.action_items]
    for each in kept:
        assert each.citations
        for citation in each.citations:
            utterance = by_position[citation.position]
            assert utterance.speaker is citation.speaker
            assert normal(citation.quote) in normal(utterance.text)
    for item in found.result.action_items:
        cited = [by_position[citation.position] for citation in item.citations]
        if item.modality is Modality.COMMITMENT and item.carries is None:
            assert item.owner.value in {each.speaker.value for each in cited}
        if item.due_date is not None:
            assert item.due_date >= request.session_date
            assert item.due_phrase
            assert any(item.due_phrase.casefold() in normal(x.text).casefold() for x in cited)
        assert item.carries in {None, "a1"}
    assert set(found.dropped) <= set(REASONS)
    # nothing vanishes without a count
    lost = 2 * len(texts) + len(items) - len(kept)
    blank = sum(not x.text.strip() for x in texts) * 2 + sum(not x.text.strip() for x in items)
    assert lost <= found.dropped_count + blank
    assert check(found.result, request).result == found.result  # checking twice changes nothing


@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_any_piece_of_a_text_with_letters_is_a_quote(text: str, start: int, end: int) -> None:
    piece = text[start:end]
    says_something = any(each.isalnum() for each in piece)
    assert quote_holds(piece, text) == says_something
