"""Sending as a job: once for each approved version, and a person after every failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.jobs import Jobs
from tests.coaching.builders import Pair, make_pair
from tests.jobs.parts import SQLITE, approved_message
from tests.support.smtp import SmtpTestServer


def test_an_approved_message_leaves_once(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    row = approved_message(services, pair)
    queued = jobs.enqueue_send(row.id)
    assert (queued, jobs.enqueue_send(row.id)) == (f"send/{row.id}/1", f"send/{row.id}/1")
    (job,) = jobs.run_inline([queued])
    assert (job.state, job.result) == ("done", {"state": "sent", "version": 1, "code": None})
    assert [path.name for path in settings.outbox.iterdir()] == [f"{row.id}.1.eml"]
    with pytest.raises(CoachError, match="COACH-MSG-001"):
        jobs.enqueue_send(row.id)


@pytest.fixture
def smtp_settings(home: Path, new_database_url: Callable[..., str]) -> Callable[[str], Settings]:
    url = new_database_url("sqlite")
    return lambda smtp: load_settings(
        home=home, database_url=url, smtp_url=smtp, mail_from="coaching@example.org"
    )


def test_a_failed_sending_is_retried_by_a_person(
    smtp_settings: Callable[[str], Settings],
) -> None:
    with SmtpTestServer("refuse_data") as server:
        settings = smtp_settings(server.url)
        services = open_services(settings)
        pair = make_pair(services.database)
        row = approved_message(services, pair)
        with Jobs(settings, services) as jobs:
            (failed,) = jobs.run_inline([jobs.enqueue_send(row.id)])
            assert (failed.state, failed.error_code) == ("failed", "COACH-MSG-003")
            server.fault = "drop_at_data"
            again = jobs.retry(SYSTEM, failed.id)
            assert again == f"send/{row.id}/2"
            (unknown,) = jobs.run_inline([again])
            assert (unknown.state, unknown.error_code) == ("failed", "COACH-MSG-004")
            with pytest.raises(CoachError, match="COACH-MSG-001"):
                jobs.retry(SYSTEM, unknown.id)
        assert messages.get(services.database, SYSTEM, row.id).state == "uncertain"
        services.close()
    assert len(server.taken) == 1


@SQLITE
def test_cancelling_takes_the_approval_back(services: Services, jobs: Jobs, pair: Pair) -> None:
    row = approved_message(services, pair)
    queued = jobs.enqueue_send(row.id)
    assert jobs.cancel(SYSTEM, queued).state == "cancelled"
    assert messages.get(services.database, SYSTEM, row.id).state == "draft"


@SQLITE
def test_a_job_of_an_older_version_sends_nothing(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    row = approved_message(services, pair)
    old = jobs.enqueue_send(row.id)
    row = messages.edit(services.database, pair.actor, row.id, 1, "Subject", "Other words")
    (job,) = jobs.run_inline([old])
    assert job.result == {"state": "draft", "version": 2, "code": None}
    assert not settings.outbox.exists()
