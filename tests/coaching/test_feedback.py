"""The client's answers: a signed link, one answer for a message, changed for a week at most."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching import feedback, messages
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Feedback
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis

SECRET = LETTERHEAD.feedback_secret


def sent_message(database: Database) -> tuple[Pair, uuid.UUID]:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    messages.claim_and_send(database, ListMailer(), row.id, LETTERHEAD)
    return pair, row.id


def test_an_answer_is_kept_once_and_shown_to_the_coach(database: Database) -> None:
    pair, message_id = sent_message(database)
    token = feedback.feedback_token(SECRET, message_id)
    form = feedback.open_form(database, SECRET, token)
    assert (form.coach_name, form.helpfulness, form.may_answer) == ("Ada Reyes", None, True)
    for _ in range(2):
        feedback.record(database, SECRET, token, 4, " More on\r\ndelegation\x00 ")
    (row,) = feedback.list_feedback(database, pair.actor)
    assert (row.helpfulness, row.next_focus) == (4, "More on\ndelegation")
    assert feedback.open_form(database, SECRET, token).helpfulness == 4
    assert feedback.list_feedback(database, make_pair(database).actor) == []


def test_an_answer_may_be_changed_for_a_week(database: Database) -> None:
    _, message_id = sent_message(database)
    token = feedback.feedback_token(SECRET, message_id)
    feedback.record(database, SECRET, token, 2)
    with clock.frozen(clock.now() + dt.timedelta(days=6)):
        feedback.record(database, SECRET, token, 5, "Better now")
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        with pytest.raises(CoachError, match="COACH-MSG-008"):
            feedback.record(database, SECRET, token, 1)
        feedback.record(database, SECRET, token, 5, "Better now")  # the same again is no change
        assert not feedback.open_form(database, SECRET, token).may_answer
    with database.read() as session:
        assert session.scalars(sa.select(Feedback.helpfulness)).all() == [5]


def test_the_link_works_from_sending_on_for_months(database: Database) -> None:
    _, message_id = sent_message(database)
    token = feedback.feedback_token(SECRET, message_id)
    assert feedback.LINK_DAYS >= 60
    with clock.frozen(clock.now() + dt.timedelta(days=60)):
        feedback.record(database, SECRET, token, 3)
    with (
        clock.frozen(clock.now() + dt.timedelta(days=feedback.LINK_DAYS + 1)),
        pytest.raises(CoachError, match="COACH-MSG-007"),
    ):
        feedback.open_form(database, SECRET, token)


def test_a_link_of_a_draft_does_not_work_yet(sqlite_database: Database) -> None:
    pair = make_pair(sqlite_database)
    transcript_id = make_transcript(sqlite_database, pair)
    make_analysis(sqlite_database, transcript_id, ["First."])
    row = messages.draft(sqlite_database, pair.actor, transcript_id)
    with pytest.raises(CoachError, match="COACH-MSG-007"):
        feedback.record(sqlite_database, SECRET, feedback.feedback_token(SECRET, row.id), 3)


@pytest.mark.parametrize(("helpfulness", "focus"), [(0, ""), (6, ""), (3, "x" * 2001)])
def test_values_out_of_range_are_refused(
    sqlite_database: Database, helpfulness: int, focus: str
) -> None:
    _, message_id = sent_message(sqlite_database)
    token = feedback.feedback_token(SECRET, message_id)
    with pytest.raises(CoachError, match="COACH-CCH-005"):
        feedback.record(sqlite_database, SECRET, token, helpfulness, focus)


@given(st.text(max_size=120))
def test_nobody_makes_up_a_token(text: str) -> None:
    with pytest.raises(CoachError, match="COACH-MSG-007"):
        feedback.read_token(SECRET, text)


def test_a_token_is_bound_to_its_message_and_installation() -> None:
    one, two = ids.new_id(), ids.new_id()
    token = feedback.feedback_token(SECRET, one)
    assert token == feedback.feedback_token(SECRET, one)
    assert feedback.read_token(SECRET, token) == one
    payload, signature = token.split(".")
    other_payload = feedback.feedback_token(SECRET, two).split(".")[0]
    for forged in (f"{other_payload}.{signature}", payload, f"{payload}.", f"{token}x"):
        with pytest.raises(CoachError, match="COACH-MSG-007"):
            feedback.read_token(SECRET, forged)
    with pytest.raises(CoachError, match="COACH-MSG-007"):
        feedback.read_token(b"other", token)
