"""What the local engine stood in for is analysed again: when, which first, and what a coach keeps."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching import consent, messages
from coachops.coaching.analysis import analyse, degraded_due
from coachops.coaching.review import edit_insight, load_review
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import Analysis, AuditEvent, Transcript
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.support.ai_server import AiServer

Make = Callable[..., Gateway]
NOW = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)


def later(**spans: float) -> dt.datetime:
    return NOW + dt.timedelta(**spans)


@pytest.fixture
def pair(database: Database) -> Pair:
    with clock.frozen(NOW):
        return make_pair(database, consents=("processing", "external_ai"))


@pytest.fixture
def stand_in(database: Database, pair: Pair, openai_gateway: Make, ai: AiServer) -> uuid.UUID:
    """A transcript that was analysed at `NOW`, when the service asked for ten minutes."""
    with clock.frozen(NOW):
        transcript_id = make_transcript(database, pair)
        ai.script = ["busy_long"]
        assert analyse(database, openai_gateway(), SYSTEM, transcript_id).status == "degraded"
    return transcript_id


def analyses(database: Database) -> list[Analysis]:
    with database.read() as session:
        return list(session.scalars(sa.select(Analysis).order_by(Analysis.id)))


def test_it_is_due_from_the_time_the_service_asked_for(
    database: Database, stand_in: uuid.UUID
) -> None:
    with clock.frozen(later(minutes=9)):
        assert degraded_due(database) == []
    with clock.frozen(later(minutes=10)):
        assert degraded_due(database) == [stand_in]


def test_the_service_takes_its_place_and_the_coachs_words_stay(
    database: Database, pair: Pair, stand_in: uuid.UUID, openai_gateway: Make
) -> None:
    with clock.frozen(later(minutes=1)):
        before = load_review(database, pair.actor, stand_in)
        mine = before.of_kind("summary")[0]
        edit_insight(database, pair.actor, stand_in, "summary", mine.anchor, "In my own words.")
        draft = messages.draft(database, SYSTEM, stand_in)
        edited = messages.edit(
            database, pair.actor, draft.id, draft.version, draft.subject, "A letter of my own."
        )
    assert before.analysis is not None
    assert before.analysis.degraded
    assert before.analysis.retry_at == later(minutes=10)
    with clock.frozen(later(minutes=11)):
        outcome = analyse(database, openai_gateway(), SYSTEM, stand_in)
        letter = messages.draft(database, SYSTEM, stand_in)
        assert degraded_due(database) == []
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    review = load_review(database, pair.actor, stand_in)
    assert review.analysis is not None
    assert review.analysis.again
    assert not review.analysis.degraded
    assert "In my own words." in {each.text for each in review.of_kind("summary")}
    assert letter.id == edited.id
    assert letter.body.strip() == "A letter of my own."


def test_trying_in_vain_leaves_a_later_time_and_nothing_else(
    database: Database, pair: Pair, stand_in: uuid.UUID, openai_gateway: Make, ai: AiServer
) -> None:
    ai.always = "busy_long"
    (first,) = analyses(database)
    times = []
    moment = later(minutes=10)
    for _ in range(3):
        with clock.frozen(moment):
            assert degraded_due(database) == [stand_in]
            again = analyse(database, openai_gateway(), SYSTEM, stand_in)
        assert (again.status, again.reused) == ("degraded", True)
        (row,) = analyses(database)
        assert row.id == first.id
        assert row.retry_at is not None
        times.append(row.retry_at)
        moment = row.retry_at
    assert times == sorted(times)
    assert times[-1] - times[-2] > dt.timedelta(minutes=10)
    with database.read() as session:
        assert session.get_one(Transcript, stand_in).state == "analysed"
        audited = session.scalars(sa.select(AuditEvent.action)).all()
    assert audited.count("transcript.analysed") == 1
    review = load_review(database, pair.actor, stand_in)
    assert len(review.outbound) == len(ai.requests) == 4  # every request is on record


def test_while_a_service_rests_one_tries_for_all_and_its_success_wakes_the_others(
    database: Database, pair: Pair, openai_gateway: Make, ai: AiServer
) -> None:
    ai.always = "quota"
    with clock.frozen(NOW):
        waiting = [make_transcript(database, pair) for _ in range(4)]
        for each in waiting:
            assert analyse(database, openai_gateway(), SYSTEM, each).error_code == "COACH-AI-006"
    assert len(ai.requests) == 1
    with clock.frozen(later(minutes=20)):
        (canary,) = degraded_due(database)
        analyse(database, openai_gateway(), SYSTEM, canary)  # in vain
        assert len(ai.requests) == 2
    ai.always = "good"
    with clock.frozen(later(minutes=23)):
        (second,) = degraded_due(database)
        assert second != canary
        assert analyse(database, openai_gateway(), SYSTEM, second).status == "complete"
        assert set(degraded_due(database)) == set(waiting) - {second}
        assert degraded_due(database, 2) == degraded_due(database)[:2]


def test_the_words_of_a_client_who_withdrew_are_not_analysed_again(
    database: Database, pair: Pair, stand_in: uuid.UUID
) -> None:
    with clock.frozen(later(minutes=1)):
        consent.record(database, pair.actor, pair.client_id, "processing", False)
    with clock.frozen(later(hours=1)):
        assert degraded_due(database) == []


def test_without_consent_for_services_the_local_analysis_becomes_the_real_one(
    database: Database, pair: Pair, stand_in: uuid.UUID, openai_gateway: Make, ai: AiServer
) -> None:
    with clock.frozen(later(minutes=1)):
        consent.record(database, pair.actor, pair.client_id, "external_ai", False)
    with clock.frozen(later(hours=1)):
        outcome = analyse(database, openai_gateway(), SYSTEM, stand_in)
        assert (outcome.engine, outcome.status) == ("local", "complete")
        assert degraded_due(database) == []
    assert len(ai.requests) == 1


@pytest.mark.faults(39)
def test_a_clock_set_back_a_day_does_not_bury_it(
    database: Database, stand_in: uuid.UUID, openai_gateway: Make, ai: AiServer
) -> None:
    ai.always = "busy_long"
    with clock.frozen(later(minutes=10)):
        analyse(database, openai_gateway(), SYSTEM, stand_in)
    with clock.frozen(later(days=-1)):
        assert degraded_due(database) == [stand_in]
        assert analyse(database, openai_gateway(), SYSTEM, stand_in).status == "degraded"
        assert degraded_due(database) == []
