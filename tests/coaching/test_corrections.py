"""Corrections: each can be undone on its own, and what stood first is never lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.gateway import Gateway
from coachops.coaching import corrections
from coachops.coaching.analysis import analyse
from coachops.coaching.citations import REDACTED
from coachops.coaching.replay import hide, merge_spans, to_original
from coachops.coaching.review import load_review
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent, Utterance
from tests.coaching.builders import TALK, Pair, make_pair, make_transcript


def state(database: Database, transcript_id: uuid.UUID) -> list[tuple[str, str, bool, str | None]]:
    with database.read() as session:
        return [
            (row.speaker, row.text, row.is_cut, row.behaviour)
            for row in session.scalars(
                sa.select(Utterance)
                .where(Utterance.transcript_id == transcript_id)
                .order_by(Utterance.position)
            )
        ]


def made(database: Database) -> tuple[Pair, uuid.UUID]:
    pair = make_pair(database)
    return pair, make_transcript(database, pair)


def test_every_correction_can_be_undone(database: Database, gateway: Gateway) -> None:
    pair, transcript_id = made(database)
    analyse(database, gateway, pair.actor, transcript_id)
    before = state(database, transcript_id)
    attempts: list[Callable[[], uuid.UUID]] = [
        lambda: corrections.swap_roles(database, pair.actor, transcript_id),
        lambda: corrections.set_speaker(database, pair.actor, transcript_id, 2, "other"),
        lambda: corrections.set_speaker(
            database, pair.actor, transcript_id, 2, "coach", whole_label=True
        ),
        lambda: corrections.set_behaviour(database, pair.actor, transcript_id, 1, "other"),
        lambda: corrections.cut(database, pair.actor, transcript_id, 1, 3),
        lambda: corrections.redact(database, pair.actor, transcript_id, 2, 2, 9),
    ]
    for attempt in attempts:
        edit_id = attempt()
        assert state(database, transcript_id) != before
        corrections.undo(database, pair.actor, transcript_id, edit_id)
        assert state(database, transcript_id) == before
        corrections.undo(database, pair.actor, transcript_id, edit_id)  # again: nothing to do
    edits = corrections.list_edits(database, pair.actor, transcript_id)
    assert len(edits) == len(attempts)
    assert all(edit.undone_at is not None for edit in edits)
    assert {edit.made_by for edit in edits} == {"Ada Reyes"}


def test_undoing_one_correction_leaves_the_later_ones(database: Database) -> None:
    pair, transcript_id = made(database)
    swap = corrections.swap_roles(database, pair.actor, transcript_id)
    corrections.set_speaker(database, pair.actor, transcript_id, 2, "other")
    corrections.cut(database, pair.actor, transcript_id, 6, 6)
    corrections.undo(database, pair.actor, transcript_id, swap)
    found = state(database, transcript_id)
    assert [each[0] for each in found] == ["coach", "other", "coach", "client", "coach", "client"]
    assert found[5][2]


def test_overlapping_cuts_are_undone_one_by_one(database: Database) -> None:
    pair, transcript_id = made(database)
    first = corrections.cut(database, pair.actor, transcript_id, 1, 3)
    corrections.cut(database, pair.actor, transcript_id, 3, 4)
    corrections.undo(database, pair.actor, transcript_id, first)
    assert [each[2] for each in state(database, transcript_id)] == [0, 0, 1, 1, 0, 0]


def test_swapping_twice_is_as_before_but_confirmed(database: Database) -> None:
    pair, transcript_id = made(database)
    before = state(database, transcript_id)
    corrections.swap_roles(database, pair.actor, transcript_id)
    corrections.swap_roles(database, pair.actor, transcript_id)
    assert state(database, transcript_id) == before
    assert load_review(database, pair.actor, transcript_id).role_state == "confirmed"


def test_two_people_cannot_swap_over_each_other(database: Database) -> None:
    pair, transcript_id = made(database)
    shown = load_review(database, pair.actor, transcript_id).revision
    corrections.swap_roles(database, pair.actor, transcript_id, revision=shown)
    with pytest.raises(CoachError) as caught:
        corrections.swap_roles(database, pair.actor, transcript_id, revision=shown)
    assert caught.value.code == "COACH-CCH-004"
    assert state(database, transcript_id)[0][0] == "client"


def test_undoing_the_confirmation_makes_the_roles_unclear_again(database: Database) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair, role_state="unclear")
    edit = corrections.confirm_roles(database, pair.actor, transcript_id)
    assert load_review(database, pair.actor, transcript_id).state == "imported"
    corrections.undo(database, pair.actor, transcript_id, edit)
    review = load_review(database, pair.actor, transcript_id)
    assert (review.role_state, review.state) == ("unclear", "waiting_roles")


def test_roles_are_confirmed_only_where_somebody_has_one(database: Database) -> None:
    pair = make_pair(database)
    lines = [("other", "Hello."), ("other", "Hello you.")]
    transcript_id = make_transcript(database, pair, lines, role_state="unclear", labels=False)
    with pytest.raises(CoachError) as caught:
        corrections.confirm_roles(database, pair.actor, transcript_id)
    assert caught.value.code == "COACH-CCH-005"
    corrections.set_speaker(database, pair.actor, transcript_id, 1, "coach")
    corrections.confirm_roles(database, pair.actor, transcript_id)


def test_one_speaker_of_a_file_is_named_by_one_of_their_utterances(database: Database) -> None:
    pair, transcript_id = made(database)
    corrections.set_speaker(database, pair.actor, transcript_id, 2, "other", whole_label=True)
    found = [each[0] for each in state(database, transcript_id)]
    assert found == ["coach", "other", "coach", "other", "coach", "other"]


def test_an_analysis_is_stale_after_a_correction_it_did_not_read(
    database: Database, gateway: Gateway
) -> None:
    pair, transcript_id = made(database)
    analyse(database, gateway, pair.actor, transcript_id)
    corrections.set_behaviour(database, pair.actor, transcript_id, 1, "other")
    corrections.confirm_roles(database, pair.actor, transcript_id)
    assert not load_review(database, pair.actor, transcript_id).stale
    edit = corrections.redact(database, pair.actor, transcript_id, 2, 0, 3)
    assert load_review(database, pair.actor, transcript_id).stale
    analyse(database, gateway, pair.actor, transcript_id)
    assert not load_review(database, pair.actor, transcript_id).stale
    corrections.undo(database, pair.actor, transcript_id, edit)
    assert load_review(database, pair.actor, transcript_id).stale
    # the words are those of the first analysis again: its findings hold, and nothing is stale
    assert analyse(database, gateway, pair.actor, transcript_id).reused
    assert not load_review(database, pair.actor, transcript_id).stale
    edit = corrections.cut(database, pair.actor, transcript_id, 1, 1)
    corrections.undo(database, pair.actor, transcript_id, edit)
    assert load_review(database, pair.actor, transcript_id).stale
    assert analyse(database, gateway, pair.actor, transcript_id).reused
    assert not load_review(database, pair.actor, transcript_id).stale


def test_findings_whose_words_were_hidden_are_held_back_at_once(
    database: Database, gateway: Gateway
) -> None:
    pair, transcript_id = made(database)
    analyse(database, gateway, pair.actor, transcript_id)
    assert "three tasks" in repr(load_review(database, pair.actor, transcript_id))
    start = TALK[3][1].index("three tasks")
    corrections.redact(database, pair.actor, transcript_id, 4, start, start + 11)
    review = load_review(database, pair.actor, transcript_id)
    assert "three tasks" not in repr(review)
    assert review.held_back >= 2
    assert review.utterances[3].text.count(REDACTED) == 1
    assert "redacted" in review.utterances[3].flags


def test_counts_follow_the_coach_s_correction(database: Database, gateway: Gateway) -> None:
    pair, transcript_id = made(database)
    analyse(database, gateway, pair.actor, transcript_id)

    def questions() -> str:
        review = load_review(database, pair.actor, transcript_id)
        return next(each.made_of for each in review.counts if each.name == "open_question_share")

    assert questions() == "1 of 1 questions"
    corrections.set_behaviour(database, pair.actor, transcript_id, 3, "question")
    assert questions() == "1 of 2 questions"  # by its wording it is not an open one


@pytest.mark.parametrize(
    "attempt",
    [
        lambda d, a, t: corrections.set_speaker(d, a, t, 99, "coach"),
        lambda d, a, t: corrections.set_speaker(d, a, t, 1, "judge"),
        lambda d, a, t: corrections.set_behaviour(d, a, t, 2, "question"),
        lambda d, a, t: corrections.set_behaviour(d, a, t, 1, "advice"),
        lambda d, a, t: corrections.cut(d, a, t, 4, 2),
        lambda d, a, t: corrections.cut(d, a, t, 4, 99),
        lambda d, a, t: corrections.redact(d, a, t, 1, 5, 5),
        lambda d, a, t: corrections.redact(d, a, t, 1, -1, 5),
        lambda d, a, t: corrections.redact(d, a, t, 1, 0, 500),
    ],
    ids=[
        "no such utterance",
        "no such speaker",
        "not the coach's",
        "no such behaviour",
        "ends before it starts",
        "ends behind the end",
        "nothing",
        "before the text",
        "behind the text",
    ],
)
def test_impossible_corrections_are_refused_and_leave_nothing(
    sqlite_database: Database, attempt: Callable[..., object]
) -> None:
    pair, transcript_id = made(sqlite_database)
    before = state(sqlite_database, transcript_id)
    with pytest.raises(CoachError) as caught:
        attempt(sqlite_database, pair.actor, transcript_id)
    assert caught.value.code == "COACH-CCH-005"
    assert state(sqlite_database, transcript_id) == before
    assert corrections.list_edits(sqlite_database, pair.actor, transcript_id) == []


def test_a_correction_of_another_transcript_cannot_be_undone(database: Database) -> None:
    pair, one = made(database)
    two = make_transcript(database, pair)
    edit = corrections.cut(database, pair.actor, one, 1, 1)
    with pytest.raises(CoachError) as caught:
        corrections.undo(database, pair.actor, two, edit)
    assert caught.value.code == "COACH-CCH-001"


def test_corrections_are_on_record_without_words(database: Database) -> None:
    pair, transcript_id = made(database)
    edit = corrections.redact(database, pair.actor, transcript_id, 2, 0, 6)
    corrections.undo(database, pair.actor, transcript_id, edit)
    with database.read() as session:
        events = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.action for event in events] == [
        "transcript.corrected",
        "transcript.correction_undone",
    ]
    assert "delegation" not in repr([event.details for event in events])


TEXT = st.text(st.sampled_from("ab [rd]é"), min_size=1, max_size=30)
PIECES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=4)


@given(TEXT, PIECES)
def test_redactions_by_what_is_shown_hide_exactly_that(
    original: str, pieces: list[tuple[int, int]]
) -> None:
    spans: list[tuple[int, int]] = []
    for start, length in pieces:
        shown = hide(original, spans)
        low = start % len(shown)
        high = min(low + length, len(shown))
        span = to_original(spans, low, high)
        assert 0 <= span[0] < span[1] <= len(original)
        before = set(_hidden(original, spans))
        spans = [*spans, span]
        after = set(_hidden(original, spans))
        assert before <= after
        # what was shown outside of the piece is shown still
        visible = [i for i in range(len(original)) if i not in after]
        assert "".join(original[i] for i in visible) == "".join(
            char for char in _plain(original, spans)
        )
    assert hide(original, []) == original


@given(TEXT, PIECES)
def test_the_order_of_redactions_does_not_matter(
    original: str, pieces: list[tuple[int, int]]
) -> None:
    spans = [
        (start % len(original), min(start % len(original) + length, len(original)))
        for start, length in pieces
    ]
    assert hide(original, spans) == hide(original, spans[::-1])
    assert merge_spans(merge_spans(spans)) == merge_spans(spans)


def _hidden(original: str, spans: list[tuple[int, int]]) -> list[int]:
    return [i for low, high in merge_spans(spans) for i in range(low, min(high, len(original)))]


def _plain(original: str, spans: list[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for low, high in merge_spans(spans):
        pieces.append(original[done:low])
        done = high
    return "".join([*pieces, original[done:]])
