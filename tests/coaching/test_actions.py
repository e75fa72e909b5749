"""Next steps in the coach's hands: changed, done, added, dropped; never behind somebody's back."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching.analysis import analyse
from coachops.coaching.review import (
    Review,
    add_action,
    edit_action,
    load_review,
    set_action_status,
)
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent
from tests.coaching.builders import Pair, make_pair, make_transcript


@pytest.fixture
def analysed(database: Database, gateway: Gateway) -> tuple[Pair, Review]:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    return pair, load_review(database, pair.actor, transcript_id)


def test_a_new_date_takes_the_spoken_words_of_the_old_one_away(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    step = next(each for each in review.actions if each.due_phrase)
    edit_action(database, pair.actor, step.id, due_date=dt.date(2026, 12, 1), owner="coach")
    after = {a.id: a for a in load_review(database, pair.actor, review.transcript_id).actions}
    changed = after[step.id]
    assert (changed.due_date, changed.due_phrase) == (dt.date(2026, 12, 1), None)
    assert changed.owner_name == "Ada Reyes"
    assert changed.text == step.text


def test_done_is_dated_and_can_be_taken_back(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    step = review.actions[0]
    with clock.frozen(dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)):
        set_action_status(database, pair.actor, step.id, "done")
    after = load_review(database, pair.actor, review.transcript_id).actions[0]
    assert (after.status, after.done_on, after.edited) == ("done", dt.date(2026, 11, 20), False)
    set_action_status(database, pair.actor, step.id, "open")
    after = load_review(database, pair.actor, review.transcript_id).actions[0]
    assert (after.status, after.done_on) == ("open", None)


def test_a_step_added_by_hand_is_marked_so(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    added = add_action(
        database, pair.actor, review.transcript_id, text=" Book a room ", owner="coach"
    )
    step = next(
        each
        for each in load_review(database, pair.actor, review.transcript_id).actions
        if each.id == added
    )
    assert step.by_hand
    assert (step.text, step.citations) == ("Book a room", ())


def test_a_step_given_again_with_its_id_is_added_once(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    """Who was told that it is not certain whether the step was saved presses the button again."""
    pair, review = analysed
    chosen = ids.new_id()
    for _ in range(2):
        added = add_action(
            database, pair.actor, review.transcript_id, text="Book a room", action_id=chosen
        )
        assert added == chosen
    after = load_review(database, pair.actor, review.transcript_id).actions
    assert [each.id for each in after if each.by_hand] == [chosen]


def test_a_dropped_step_is_not_brought_back(
    database: Database, gateway: Gateway, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    set_action_status(database, pair.actor, review.actions[0].id, "dropped")
    analyse(database, gateway, pair.actor, review.transcript_id, force=True)
    after = load_review(database, pair.actor, review.transcript_id).actions
    assert [each.status for each in after] == ["dropped", "open"]


def test_two_people_cannot_change_a_step_over_each_other(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    step = review.actions[0]
    edit_action(database, pair.actor, step.id, text="First", version=step.version)
    for attempt in (
        lambda: edit_action(database, pair.actor, step.id, text="Second", version=step.version),
        lambda: set_action_status(database, pair.actor, step.id, "done", version=step.version),
    ):
        with pytest.raises(CoachError) as caught:
            attempt()
        assert caught.value.code == "COACH-CCH-004"
    assert load_review(database, pair.actor, review.transcript_id).actions[0].text == "First"


def test_bad_values_are_refused(database: Database, analysed: tuple[Pair, Review]) -> None:
    pair, review = analysed
    step = review.actions[0].id
    for attempt in (
        lambda: edit_action(database, pair.actor, step, owner="boss"),
        lambda: edit_action(database, pair.actor, step, text=" "),
        lambda: edit_action(database, pair.actor, step, due_date="soon"),
        lambda: set_action_status(database, pair.actor, step, "late"),
        lambda: add_action(database, pair.actor, review.transcript_id, text=""),
        lambda: add_action(database, pair.actor, review.transcript_id, text="x", modality="wish"),
    ):
        with pytest.raises(CoachError) as caught:
            attempt()
        assert caught.value.code == "COACH-CCH-005"
    with pytest.raises(CoachError) as caught:
        edit_action(database, pair.actor, ids.new_id(), text="x")
    assert caught.value.code == "COACH-CCH-001"


def test_changes_are_on_record_without_words(
    database: Database, analysed: tuple[Pair, Review]
) -> None:
    pair, review = analysed
    edit_action(database, pair.actor, review.actions[0].id, text="Secret words")
    set_action_status(database, pair.actor, review.actions[0].id, "done")
    with database.read() as session:
        events = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.action for event in events][-2:] == ["action.edited", "action.done"]
    assert "Secret" not in repr([(event.subject_id, event.details) for event in events])
