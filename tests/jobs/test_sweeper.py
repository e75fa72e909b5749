"""The sweeper: what was committed and never queued is found, once; what a person stopped is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.ai import replies
from coachops.ai.shared import SharedState
from coachops.bootstrap import Services
from coachops.coaching import consent, messages, quarantine
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.models import AiReply, Message, Transcript
from coachops.jobs import Jobs, findings, worker_status
from coachops.jobs.findings import (
    GRACE,
    STUCK,
    give_back_abandoned,
    sweep_messages,
    sweep_transcripts,
)
from coachops.jobs.heartbeat import ALIVE_FOR, beat
from coachops.jobs.ids import keyed_id
from coachops.jobs.inline import analysing_here, anybody_analyses
from coachops.jobs.queue import JobQueue
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, approved_message, idle_sweeper, transcript


@pytest.fixture
def queue(jobs: Jobs, settings: Settings) -> JobQueue:
    return jobs.queue


def test_what_a_surface_committed_and_did_not_queue_is_found_once(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    message = approved_message(services, pair)
    assert (
        sweep_transcripts(services.database, queue, services.settings) == 0
    )  # the surface still has time
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, queue, services.settings) == 1
        assert sweep_messages(services.database, queue) == 1
        assert sweep_transcripts(services.database, queue, services.settings) == 0
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
        assert sweep_transcripts(services.database, queue, services.settings) == 0


def _mark_analysing(services: Services) -> None:
    with services.database.write() as session:
        session.execute(sa.update(Transcript).values(state="analysing", updated_at=clock.now()))


def test_an_analysis_outside_of_the_queue_whose_process_died_is_begun_again_soon(
    services: Services, settings: Settings, queue: JobQueue, pair: Pair
) -> None:
    make_transcript(services.database, pair)
    _mark_analysing(services)
    assert not anybody_analyses(settings)
    assert sweep_transcripts(services.database, queue, settings) == 0  # it waits again
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, queue, settings) == 1


def test_an_analysis_outside_of_the_queue_is_left_alone_while_its_process_lives(
    services: Services, settings: Settings, queue: JobQueue, pair: Pair
) -> None:
    make_transcript(services.database, pair)
    _mark_analysing(services)
    with analysing_here(settings), analysing_here(settings):
        assert anybody_analyses(settings)
        assert give_back_abandoned(services.database, queue, settings) == 0
        with clock.frozen(clock.now() + STUCK):
            assert give_back_abandoned(services.database, queue, settings) == 1


@SQLITE
def test_an_analysis_whose_job_is_active_is_left_alone(
    services: Services, settings: Settings, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    ref = queue.enqueue_pipeline(transcript_id)
    _mark_analysing(services)
    with clock.frozen(clock.now() + STUCK):
        assert give_back_abandoned(services.database, queue, settings) == 0
    queue.cancel(ref)
    assert give_back_abandoned(services.database, queue, settings) == 0  # its step may be running
    with clock.frozen(clock.now() + STUCK):
        assert give_back_abandoned(services.database, queue, settings) == 1
        assert sweep_transcripts(services.database, queue, settings) == 0  # cancelled is cancelled


@SQLITE
def test_a_transcript_that_killed_its_workers_is_shown_as_failed(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    assert row.state == "failed"
    _mark_analysing(services)  # as when the worker died of it once more
    assert sweep_transcripts(services.database, queue, services.settings) == 0
    found = transcript(services, transcript_id)
    assert (found.state, found.error_code) == ("failed", row.error_code)


@SQLITE
def test_a_transcript_whose_job_could_not_write_down_its_failure_is_shown_as_failed(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    assert row.state == "failed"
    with services.database.connect(write=True) as connection:
        connection.execute(  # as when the database was away for marking it, too
            sa.update(Transcript).values(
                state="imported", error_code=None, updated_at=row.created_at
            )
        )
    with clock.frozen(clock.now() + 2 * GRACE):
        assert sweep_transcripts(services.database, queue, services.settings) == 0
    found = transcript(services, transcript_id)
    assert (found.state, found.error_code) == ("failed", row.error_code)


@SQLITE
def test_what_waits_again_after_a_failure_is_queued_again(
    services: Services, jobs: Jobs, queue: JobQueue, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    assert row.state == "failed"
    for granted in (False, True):  # the queue is away when the page asks for a job
        consent.record(services.database, pair.actor, pair.client_id, "processing", granted)
    assert transcript(services, transcript_id).state == "imported"
    with clock.frozen(clock.now() + 2 * GRACE):
        assert sweep_transcripts(services.database, queue, services.settings) == 1
    assert jobs.enqueue_pipeline(transcript_id) == f"pipeline/{transcript_id}/2"


@SQLITE
def test_one_part_that_fails_stops_no_other_one(
    services: Services, jobs: Jobs, pair: Pair, schedule: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_transcript(services.database, pair)

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(findings, "sweep_messages", broken)
    with idle_sweeper(services, jobs, schedule) as sweeper, clock.frozen(clock.now() + GRACE):
        sweeper.round()
    assert len(jobs.list_jobs(kind="pipeline")) == 1


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


@SQLITE
def test_what_waited_too_long_in_the_quarantine_loses_its_contents(
    services: Services, jobs: Jobs, pair: Pair, schedule: Path
) -> None:
    refused = quarantine.Refused(
        "transcript", "a.docx", b"no zip", CoachError("COACH-TRN-002", name="a.docx"), "page",
        coach_id=pair.coach_id, client_id=pair.client_id,
    )  # fmt: skip
    days = services.settings.quarantine_days
    with clock.frozen(clock.now() - dt.timedelta(days=days, minutes=1)):
        old = quarantine.keep(services.database, pair.actor, refused)
    with idle_sweeper(services, jobs, schedule) as sweeper:
        sweeper.round()
    found = quarantine.get(services.database, pair.actor, old)
    assert (found.row.state, found.content) == ("expired", None)


@SQLITE
def test_replies_of_a_service_that_waited_too_long_are_thrown_away(
    services: Services, jobs: Jobs, pair: Pair, schedule: Path
) -> None:
    transcript_id = make_transcript(services.database, pair)
    sent = replies.Outbound("ai.example.org", "m", 4, 1_000, "0" * 64, 100, 20)
    with clock.frozen(clock.now() - replies.KEEP):
        kept = replies.KeptReplies(SharedState(services.database), transcript_id)
        kept.put("a" * 64, "words", sent)
    with idle_sweeper(services, jobs, schedule) as sweeper:
        sweeper.round()
    with services.database.read() as session:
        assert session.scalars(sa.select(AiReply)).all() == []


@SQLITE
def test_however_many_parts_of_exports_ended_the_rounds_forget_them_in_batches(
    services: Services, jobs: Jobs, schedule: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.jobs.queue._FORGOTTEN_AT_ONCE", 2)
    monkeypatch.setattr("coachops.jobs.queue._BATCHES_AT_ONCE", 2)
    queue, job = jobs.queue, keyed_id("export", "x", 1)
    refs = [queue.enqueue_part(job, str(ids.new_id()), 1, number) for number in range(8)]
    for ref in refs[1:]:
        queue.cancel(ref)

    def left() -> list[str]:
        return [row.id for row in queue._list(name="export_part")]

    with idle_sweeper(services, jobs, schedule) as sweeper:
        with clock.frozen(clock.now() + dt.timedelta(days=6)):
            sweeper._forget_jobs()
            assert len(left()) == 8
        with clock.frozen(clock.now() + dt.timedelta(days=8)):
            sweeper.round()
            assert len(left()) == 4
            sweeper.round()
    assert left() == [refs[0]]  # which waits


def test_a_worker_is_alive_while_it_gives_signs_of_life(services: Services) -> None:
    database = services.database
    assert worker_status(database).last_seen_at is None
    now = clock.now()
    with clock.frozen(now):
        beat(database, "worker-0", starting=True)
        beat(database, "worker-1", starting=True)
        beat(database, "worker-1", stopped=True)
        status = worker_status(database)
    assert (status.alive, status.running) == (("worker-0",), True)
    with clock.frozen(now + ALIVE_FOR + dt.timedelta(seconds=1)):
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
    until(lambda: worker_status(services.database).alive == ("worker-0",))

    def all_done() -> bool:
        drafted = messages.list_messages(services.database, SYSTEM, transcript_id=transcript_id)
        sent = messages.get(services.database, SYSTEM, message.id).state == "sent"
        return bool(drafted) and sent

    until(all_done)
    jobs.stop()
    assert not worker_status(services.database).running
