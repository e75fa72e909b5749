"""The pipeline: analysis, then the draft, once; failures are shown and can be retried."""

from __future__ import annotations

import asyncio
import uuid

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.models import Analysis, Consent
from coachops.jobs import Jobs
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, everything_stored, transcript


def test_transcripts_are_analysed_and_drafted(services: Services, jobs: Jobs, pair: Pair) -> None:
    transcripts = [make_transcript(services.database, pair) for _ in range(3)]
    queued = [jobs.enqueue_pipeline(each) for each in transcripts]
    assert queued[0] == f"pipeline/{transcripts[0]}/1"
    seen: list[tuple[int, int]] = []
    rows = jobs.run_inline(queued, progress=lambda done, total: seen.append((done, total)))
    assert [row.state for row in rows] == ["done"] * 3
    assert seen[-1] == (3, 3)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    for each, row in zip(transcripts, rows, strict=True):
        assert transcript(services, each).state == "analysed"
        (message,) = messages.list_messages(services.database, SYSTEM, transcript_id=each)
        assert row.result is not None
        assert row.result["message_id"] == str(message.id)
        assert message.state == "draft"


def test_queueing_twice_is_one_job_and_a_later_run_doubles_nothing(
    services: Services, jobs: Jobs, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    first = jobs.enqueue_pipeline(transcript_id)
    assert jobs.enqueue_pipeline(transcript_id) == first
    jobs.run_inline([first])
    second = jobs.enqueue_pipeline(transcript_id)
    assert second == f"pipeline/{transcript_id}/2"
    assert jobs.run_inline([second])[0].state == "done"
    with services.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Analysis)) == 1
    assert len(messages.list_messages(services.database, SYSTEM)) == 1


@SQLITE
def test_what_waits_for_the_coach_is_no_failure(services: Services, jobs: Jobs, pair: Pair) -> None:
    transcript_id = make_transcript(services.database, pair, role_state="unclear")
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    assert row.state == "done"
    assert row.result is not None
    assert row.result["waiting"] == "roles"
    assert transcript(services, transcript_id).state == "waiting_roles"


def test_a_failure_is_shown_at_the_transcript_and_can_be_retried(
    services: Services, jobs: Jobs, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    assert (row.state, row.error_code) == ("failed", "COACH-AI-001")
    failed = transcript(services, transcript_id)
    assert (failed.state, failed.error_code) == ("failed", "COACH-AI-001")
    assert [each.id for each in jobs.list_jobs(state="failed")] == [row.id]
    again = jobs.retry(SYSTEM, row.id)
    assert jobs.run_inline([again])[0].state == "done"
    assert transcript(services, transcript_id).state == "analysed"
    with pytest.raises(CoachError, match="COACH-JOB-004"):
        jobs.retry(SYSTEM, row.id)


@SQLITE
def test_a_transcript_that_is_not_there_fails_with_its_code(jobs: Jobs) -> None:
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(ids.new_id())])
    assert (row.state, row.error_code) == ("failed", "COACH-CCH-001")


@SQLITE
def test_a_cancelled_job_does_not_run(services: Services, jobs: Jobs, pair: Pair) -> None:
    transcript_id = make_transcript(services.database, pair)
    queued = jobs.enqueue_pipeline(transcript_id)
    assert jobs.cancel(SYSTEM, queued).state == "cancelled"
    with pytest.raises(CoachError, match="COACH-JOB-004"):
        jobs.cancel(SYSTEM, queued)
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        jobs.retry(pair.actor, queued)
    other = jobs.enqueue_pipeline(make_transcript(services.database, pair))
    jobs.run_inline([other])
    assert transcript(services, transcript_id).state == "imported"
    assert jobs.run_inline([jobs.retry(SYSTEM, queued)])[0].state == "done"


@SQLITE
def test_jobs_can_be_queued_inside_an_event_loop(
    services: Services, jobs: Jobs, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    transcript_id = make_transcript(services.database, pair)

    async def surface() -> str:
        return jobs.enqueue_pipeline(transcript_id)

    assert asyncio.run(surface()) == f"pipeline/{transcript_id}/1"
    assert caplog.records == []


def test_the_queue_holds_ids_and_no_words(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    marker = f"zebra{uuid.UUID(int=7).hex}"
    lines = (("coach", "What now?"), ("client", f"I will call the {marker} office by Friday."))
    transcript_id = make_transcript(services.database, pair, lines)
    jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    (message,) = messages.list_messages(services.database, SYSTEM)
    assert marker in message.body
    stored = everything_stored(settings)
    assert str(transcript_id) in stored
    assert marker not in stored
    assert "Maya" not in stored


@SQLITE
def test_without_consent_nothing_is_read(services: Services, jobs: Jobs, pair: Pair) -> None:
    with services.database.write() as session:
        session.execute(sa.delete(Consent))
    transcript_id = make_transcript(services.database, pair)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    assert row.result is not None
    assert row.result["waiting"] == "consent"
    assert transcript(services, transcript_id).state == "waiting_consent"
