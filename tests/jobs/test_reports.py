"""Reports as jobs: by the calendar once for each slot, and by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings
from coachops.db.models import WorkerHeartbeat
from coachops.jobs import Jobs
from coachops.jobs.schedules import load_schedules
from coachops.reporting import list_runs
from tests.jobs.parts import NOTHING, SQLITE, idle_sweeper

YEARLY = '[[schedule]]\nreport = "weekly_operations"\ncron = "0 0 1 1 *"\n'


@SQLITE
@pytest.mark.notebook
def test_a_due_report_is_run_once_by_the_worker(
    services: Services,
    settings: Settings,
    jobs: Jobs,
    schedule: Path,
    until: Callable[..., None],
) -> None:
    schedule.write_text(YEARLY + NOTHING)
    with services.database.write() as session:
        at = clock.now() - dt.timedelta(days=800)
        session.add(
            WorkerHeartbeat(
                name="worker-9", first_started_at=at, started_at=at, seen_at=at, stopped=True
            )
        )
    jobs.start(worker=True)
    until(lambda: any(not row.active for row in jobs.list_jobs(kind="report")))
    (row,) = jobs.list_jobs(kind="report")
    assert (row.state, row.error) == ("done", None)
    (run,) = list_runs(settings, "weekly_operations")
    assert row.result is not None
    assert row.result["html"] == str(run.html_path)
    found = next(each for each in load_schedules(settings, schedule) if each.kind == "report")
    assert row.id == str(found.job(found.last_due(clock.now())))
    assert found.ran_since(settings, found.last_due(clock.now()))


@SQLITE
def test_nothing_is_due_from_before_the_first_worker(
    services: Services, jobs: Jobs, schedule: Path
) -> None:
    schedule.write_text(YEARLY + NOTHING)
    with idle_sweeper(services, jobs, schedule) as sweeper:
        sweeper.round()
    assert jobs.list_jobs() == []


@SQLITE
def test_a_failed_report_is_retried_with_its_parameters(jobs: Jobs) -> None:
    queued = jobs.enqueue_report("weekly_operations", {"weeks": 5})
    jobs.cancel(SYSTEM, queued)
    again = jobs.retry(SYSTEM, queued)
    assert again == queued[:-1] + "2"
    assert jobs.queue.arguments(again) == jobs.queue.arguments(queued)
