"""The brief before the next session: only what this coach may see, and only what is open."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from coachops.ai.gateway import Gateway
from coachops.coaching import corrections
from coachops.coaching.analysis import analyse
from coachops.coaching.brief import brief
from coachops.coaching.review import add_action, edit_insight, load_review, set_action_status
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Feedback, Goal, GoalRating, Message
from tests.coaching.builders import TALK, make_pair, make_transcript


def test_before_the_first_session_the_brief_is_empty(database: Database) -> None:
    pair = make_pair(database)
    found = brief(database, pair.actor, pair.client_id)
    assert (found.sessions, found.last_held_on, found.transcript_id) == (0, None, None)
    assert found.summary == found.client_steps == found.goals == ()


def test_the_brief_tells_what_was_what_is_open_and_by_whom(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    make_transcript(database, pair, held_on=dt.date(2026, 11, 9))  # not analysed yet
    analyse(database, gateway, pair.actor, transcript_id)
    review = load_review(database, pair.actor, transcript_id)
    edit_insight(
        database, pair.actor, transcript_id, "summary", review.of_kind("summary")[0].anchor, "Mine."
    )
    add_action(database, pair.actor, transcript_id, text="Try a walk", modality="proposal")
    with clock.frozen(dt.datetime(2026, 11, 10, tzinfo=dt.UTC)):
        found = brief(database, pair.actor, pair.client_id)
    assert (found.sessions, found.last_held_on) == (2, dt.date(2026, 11, 9))
    assert found.transcript_id == transcript_id
    assert found.summary[0].text == "Mine."
    assert [each.overdue for each in found.client_steps] == [True]
    assert found.client_steps[0].since == dt.date(2026, 11, 2)
    assert [each.text for each in found.proposals] == ["Try a walk"]
    assert len(found.coach_steps) == 1
    set_action_status(database, pair.actor, found.coach_steps[0].id, "done")
    assert brief(database, pair.actor, pair.client_id).coach_steps == ()


def test_redacted_words_are_not_in_the_brief(database: Database, gateway: Gateway) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    start = TALK[3][1].index("three tasks")
    corrections.redact(database, pair.actor, transcript_id, 4, start, start + 11)
    assert "three tasks" not in repr(brief(database, pair.actor, pair.client_id))


def test_goals_and_answers_stand_in_the_brief(database: Database) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    review = load_review(database, pair.actor, transcript_id)

    def work(session: Session) -> None:
        goal = Goal(
            client_id=pair.client_id,
            coach_id=pair.coach_id,
            engagement_id=pair.engagement_id,
            title="Delegate",
            levels={"-2": "nothing", "-1": "one", "0": "two", "1": "three", "2": "four"},
        )
        message = Message(
            session_id=review.session_id,
            client_id=pair.client_id,
            coach_id=pair.coach_id,
            recipient_name="Maya",
            recipient_email="maya@example.org",
            subject="Our session",
            body="Hello",
            engine_body="Hello",
        )
        session.add_all([goal, message])
        session.flush()
        for day, level in ((1, -1), (8, 1)):
            session.add(
                GoalRating(
                    goal_id=goal.id, level=level, rated_by="client", rated_on=dt.date(2026, 11, day)
                )
            )
        session.add(
            Feedback(
                message_id=message.id,
                session_id=review.session_id,
                client_id=pair.client_id,
                helpfulness=4,
                next_focus="Saying no",
                received_at=clock.now(),
            )
        )

    database.run(work)
    found = brief(database, pair.actor, pair.client_id)
    assert [(each.title, each.level, each.level_text) for each in found.goals] == [
        ("Delegate", 1, "three")
    ]
    assert found.last_answers is not None
    assert (found.last_answers.helpfulness, found.last_answers.next_focus) == (4, "Saying no")


def test_another_coach_gets_no_brief(database: Database) -> None:
    pair, other = make_pair(database), make_pair(database)
    with pytest.raises(CoachError) as caught:
        brief(database, other.actor, pair.client_id)
    assert caught.value.code == "COACH-CCH-001"
