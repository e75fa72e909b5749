"""The sweeper: what was committed and never queued is found, once; what a person stopped is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings
from coachops.db.models import Message, Transcript
from coachops.jobs import Jobs, worker_status
from coachops.jobs.heartbeat import ALIVE_FOR, beat
from coachops.jobs.queue import JobQueue
from coachops.jobs.sweeper import GRACE, STUCK, sweep_messages, sweep_transcripts
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, approved_message


@pytest.fixture
def queue(jobs: Jobs, settings: Settings) -> JobQueue:
    return jobs.queue


def test_what_a_surface_committed_and_did_not_queue_is_found_once(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    message = approved_message(services, pair)
    assert sweep_transcripts(services.database, queue) == 0  # the surface still has time
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, queue) == 1
        assert sweep_messages(services.database, queue) == 1
        assert sweep_transcripts(services.database, queue) == 0
    assert jobs.enqueue_pipeline(transcript_id) == f"pipeline/{transcript_id}/1"
    assert {row.id for row in jobs.list_jobs()} == {
        f"pipeline/{transcript_id}/1",
        f"send/{message.id}/1",
    }


@SQLITE
def test_what_a_person_cancelled_is_left_alone(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    jobs.cancel(SYSTEM, jobs.enqueue_pipeline(transcript_id))
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, queue) == 0


@SQLITE
def test_an_analysis_whose_process_died_is_begun_again(
    services: Services, queue: JobQueue, pair: Pair
) -> None:
    make_transcript(services.database, pair)
    with services.database.write() as session:
        session.execute(sa.update(Transcript).values(state="analysing", updated_at=clock.now()))
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, queue) == 0
    with clock.frozen(clock.now() + STUCK):
        assert sweep_transcripts(services.database, queue) == 1


@SQLITE
def test_a_sending_whose_process_died_becomes_uncertain(
    services: Services, queue: JobQueue, pair: Pair
) -> None:
    message = approved_message(services, pair)
    with services.database.write() as session:
        session.execute(sa.update(Message).values(state="sending", sending_at=clock.now()))
    with clock.frozen(clock.now() + messages.SEND_LIMIT):
        assert sweep_messages(services.database, queue) == 1
    assert messages.get(services.database, SYSTEM, message.id).state == "uncertain"


def test_a_worker_is_alive_while_it_gives_signs_of_life(services: Services) -> None:
    database = services.database
    assert worker_status(database).last_seen_at is None
    beat(database, "worker-0", starting=True)
    beat(database, "worker-1", starting=True)
    beat(database, "worker-1", stopped=True)
    status = worker_status(database)
    assert (status.alive, status.running) == (("worker-0",), True)
    with clock.frozen(clock.now() + ALIVE_FOR + dt.timedelta(seconds=1)):
        assert not worker_status(database).running


def test_the_worker_does_what_nobody_queued(
    services: Services, jobs: Jobs, pair: Pair, until: Callable[..., None]
) -> None:
    """One whole round in a running worker: analysis, draft and sending."""
    transcript_id = make_transcript(services.database, pair)
    message = approved_message(services, pair)
    with services.database.write() as session:
        long_ago = clock.now() - dt.timedelta(days=1)
        session.execute(sa.update(Transcript).values(updated_at=long_ago))
        session.execute(sa.update(Message).values(approved_at=long_ago))
    jobs.start(worker=True)
    assert worker_status(services.database).alive == ("worker-0",)

    def all_done() -> bool:
        drafted = messages.list_messages(services.database, SYSTEM, transcript_id=transcript_id)
        sent = messages.get(services.database, SYSTEM, message.id).state == "sent"
        return bool(drafted) and sent

    until(all_done)
    jobs.stop()
    assert not worker_status(services.database).running
