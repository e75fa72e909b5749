"""Whether work moves, read from the tables alone; and what the command line says of it."""

from __future__ import annotations

import datetime as dt
import json
from socket import gethostname

import pytest

from coachops.bootstrap import Services
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.jobs import Jobs, queue_health
from coachops.jobs.health import NOBODY, STUCK
from coachops.jobs.heartbeat import beat
from tests.jobs.parts import SQLITE
from tests.support.worker import run_command


def test_where_nothing_was_ever_queued_all_is_well(services: Services, settings: Settings) -> None:
    health = queue_health(settings, services.database)
    assert (health.ok, health.waiting, health.oldest_seconds) == (True, 0, None)


def test_work_that_waits_while_no_worker_runs_is_a_problem(
    services: Services, settings: Settings, jobs: Jobs
) -> None:
    queued = [jobs.enqueue_pipeline(ids.new_id()) for _ in range(2)]
    at = jobs.get(queued[0]).created_at
    with clock.frozen(at + dt.timedelta(seconds=5)):
        assert queue_health(settings, services.database).ok
    with clock.frozen(at + NOBODY + dt.timedelta(minutes=3)):
        health = queue_health(settings, services.database)
    assert health.problems == ("2 jobs are waiting for 4 min, and no worker runs",)
    assert health.oldest_seconds == pytest.approx(210, abs=2)


def test_a_queue_of_which_nothing_is_begun_is_stuck_though_workers_live(
    services: Services, settings: Settings, jobs: Jobs
) -> None:
    at = jobs.get(jobs.enqueue_pipeline(ids.new_id())).created_at
    with clock.frozen(at + STUCK - dt.timedelta(seconds=9)):
        beat(services.database, "worker-0", starting=True)
        assert queue_health(settings, services.database).ok
    with clock.frozen(at + STUCK + dt.timedelta(seconds=9)):
        beat(services.database, "worker-0")
        health = queue_health(settings, services.database)
    assert health.problems == ("1 job is waiting for 15 min in 'analysis', and none is begun",)


def test_a_queue_that_moves_is_not_stuck_however_long_it_is(
    services: Services, settings: Settings, jobs: Jobs
) -> None:
    first = jobs.enqueue_pipeline(ids.new_id())
    jobs.run_inline([first])  # fails: there is no such transcript
    jobs.enqueue_pipeline(ids.new_id())
    at = jobs.get(first).updated_at
    with clock.frozen(at + STUCK - dt.timedelta(seconds=30)):
        beat(services.database, "worker-0", starting=True)
        health = queue_health(settings, services.database)
    assert (health.ok, health.waiting, health.failed) == (True, 1, 1)


def test_a_worker_that_fell_silent_is_named(services: Services, settings: Settings) -> None:
    beat(services.database, "worker-3", starting=True)
    with clock.frozen(clock.now() + dt.timedelta(minutes=2)):
        assert queue_health(settings, services.database).silent == (f"worker-3 on {gethostname()}",)


@SQLITE
def test_a_damaged_queue_is_told_by_its_code(services: Services, settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "jobs.db").write_bytes(b"no database at all, whatever its name says" * 100)
    with pytest.raises(CoachError, match="COACH-JOB-006"):
        queue_health(settings, services.database)


@SQLITE
def test_the_command_fails_where_work_waits_for_nobody(settings: Settings, jobs: Jobs) -> None:
    shown = run_command(settings, "job", "status", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["ok"]) == (0, True)
    jobs.enqueue_report("weekly_operations", {})
    queued = run_command(settings, "report", "run", "weekly_operations", "--background", "--json")
    assert json.loads(queued.stdout)["state"] == "waiting"
    asked = run_command(settings, "export", "run", "--background", "--dataset", "coaches", "--json")
    document = json.loads(asked.stdout)
    assert document["place"].startswith(str(settings.home / "exports"))
    assert len(jobs.list_jobs(state="waiting")) == 3
    neither = run_command(settings, "export", "run")
    assert (neither.returncode, "COACH-SYS-002" in neither.stderr) == (2, True)
    told = run_command(settings, "job", "status")
    assert "Waiting: 3" in told.stdout
