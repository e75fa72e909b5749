"""Work that is to wait: a long Retry-After becomes a job of later, and a stand-in is replaced by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings, load_settings
from coachops.db.models import Analysis
from coachops.jobs import Jobs
from coachops.jobs.findings import sweep_degraded, sweep_messages
from coachops.jobs.store import store_url
from tests.coaching.builders import make_pair, make_transcript
from tests.jobs.parts import approved_message, transcript
from tests.support.ai_server import AiServer, ai_server
from tests.support.smtp import SmtpTestServer

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def ai() -> Iterator[AiServer]:
    yield from ai_server()


@pytest.fixture
def settings(home: Path, new_database_url: Callable[..., str], ai: AiServer) -> Settings:
    return load_settings(
        home=home,
        database_url=new_database_url("sqlite"),
        openai_api_key="sk-test",
        openai_base_url=ai.url,
    )


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    opened = open_services(settings)
    yield opened
    opened.close()


@pytest.fixture
def jobs(settings: Settings, services: Services) -> Iterator[Jobs]:
    with Jobs(settings, services) as jobs:
        yield jobs


def _time_has_come(settings: Settings, ref: str) -> None:
    """Let a job that was put off begin now, as if its time had passed for the queue."""
    engine = sa.create_engine(store_url(settings), poolclass=sa.NullPool)
    with engine.begin() as connection:
        changed = connection.execute(
            sa.text(
                "UPDATE workflow_status SET delay_until_epoch_ms = 1 WHERE workflow_uuid = :id"
            ),
            {"id": ref},
        )
        assert changed.rowcount == 1
    engine.dispose()


@pytest.mark.faults(15)
def test_a_job_that_is_asked_to_come_back_in_ten_minutes_is_rescheduled(
    settings: Settings, services: Services, jobs: Jobs, ai: AiServer
) -> None:
    pair = make_pair(services.database, consents=("processing", "external_ai"))
    transcript_id = make_transcript(services.database, pair)
    ai.script = ["busy_long"]
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    later = f"pipeline/{transcript_id}/2"
    assert row.state == "done"
    assert row.result is not None
    assert (row.result["rescheduled"], row.result["error"]) == (later, "COACH-AI-007")
    waiting = jobs.get(later)
    assert waiting.state == "waiting"
    assert waiting.due_at is not None
    assert 9 * MINUTE < waiting.due_at - waiting.created_at < 11 * MINUTE
    assert transcript(services, transcript_id).state == "imported"
    assert len(ai.requests) == 1
    _time_has_come(settings, later)
    with clock.frozen(clock.now() + 11 * MINUTE):
        (done,) = jobs.run_inline([later])
    assert (done.state, done.error) == ("done", None)
    assert done.result is not None
    assert (done.result["engine"], done.result["status"]) == ("openai", "complete")
    assert transcript(services, transcript_id).state == "analysed"
    assert len(ai.requests) == 2


@pytest.mark.faults(15)
def test_a_person_need_not_wait_for_a_job_that_was_put_off(
    services: Services, jobs: Jobs, ai: AiServer
) -> None:
    pair = make_pair(services.database, consents=("processing", "external_ai"))
    transcript_id = make_transcript(services.database, pair)
    ai.script = ["busy_long"]
    jobs.run_inline([jobs.enqueue_pipeline(transcript_id, "openai")])
    now = jobs.enqueue_pipeline(transcript_id, "local")
    assert now == f"pipeline/{transcript_id}/3"
    assert jobs.get(f"pipeline/{transcript_id}/2").state == "cancelled"
    (row,) = jobs.run_inline([now])
    assert row.result is not None
    assert row.result["engine"] == "local"


@pytest.mark.faults(17)
def test_a_stand_in_is_replaced_by_itself_when_the_service_is_back(
    services: Services, jobs: Jobs, ai: AiServer
) -> None:
    pair = make_pair(services.database, consents=("processing", "external_ai"))
    transcript_id = make_transcript(services.database, pair)
    ai.script = ["broken"] * 50
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    assert row.result is not None
    assert row.result["status"] == "degraded"
    assert sweep_degraded(services, jobs.queue) == 0  # not yet
    ai.script = []
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        assert sweep_degraded(services, jobs.queue) == 1
        assert sweep_degraded(services, jobs.queue) == 0  # it is queued
        (again,) = jobs.run_inline([f"pipeline/{transcript_id}/2"])
    assert again.result is not None
    assert (again.result["status"], again.result["engine"]) == ("complete", "openai")
    with services.database.read() as session:
        states = session.scalars(sa.select(Analysis.status).order_by(Analysis.created_at)).all()
    assert states == ["degraded", "complete"]
    assert len(messages.list_messages(services.database, SYSTEM)) == 1


def test_a_letter_that_the_server_put_off_is_sent_by_a_job_of_its_own(
    home: Path, new_database_url: Callable[..., str]
) -> None:
    with SmtpTestServer("busy_rcpt") as server:
        settings = load_settings(
            home=home, database_url=new_database_url("sqlite"), smtp_url=server.url
        )
        services = open_services(settings)
        row = approved_message(services, make_pair(services.database))
        with Jobs(settings, services) as jobs:
            jobs.run_inline([jobs.enqueue_send(row.id)])
            assert messages.get(services.database, SYSTEM, row.id).state == "approved"
            server.fault = ""
            assert sweep_messages(services.database, jobs.queue) == 0  # not before its time
            with clock.frozen(clock.now() + 2 * MINUTE):
                assert sweep_messages(services.database, jobs.queue) == 1
                (sent,) = jobs.run_inline([f"send/{row.id}/1/1"])
        assert sent.state == "done"
        assert messages.get(services.database, SYSTEM, row.id).state == "sent"
        services.close()
    assert len(server.taken) == 1
