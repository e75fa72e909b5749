"""Backups, drills and checks as jobs: by the calendar, one at a time, and what they find is a failure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from coachops.backup.turn import turn
from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.settings import Settings
from coachops.db.models import AuditEvent, WorkerHeartbeat
from coachops.jobs import Jobs
from coachops.jobs.ids import keyed_id
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.jobs.parts import NOTHING, SQLITE, idle_sweeper

pytestmark = SQLITE


def _long_ago(services: Services) -> None:
    """A worker ran before, so something may be due."""
    at = clock.now() - dt.timedelta(days=800)
    with services.database.write() as session:
        session.add(
            WorkerHeartbeat(
                name="worker-9", first_started_at=at, started_at=at, seen_at=at, stopped=True
            )
        )


def _queue(jobs: Jobs, kind: str, key: str = "by-hand") -> str:
    return jobs.queue.enqueue_as(keyed_id(kind, key))


def test_a_backup_is_taken_and_a_drill_proves_it(
    services: Services, jobs: Jobs, pair: Pair
) -> None:
    make_transcript(services.database, pair)
    (backup,) = jobs.run_inline([_queue(jobs, "backup")])
    assert (backup.state, backup.error) == ("done", None)
    (listed,) = services.backups.list()
    assert backup.result is not None
    assert backup.result["backup"] == listed.id
    (drill,) = jobs.run_inline([_queue(jobs, "drill")])
    assert (drill.state, drill.error) == ("done", None)
    assert drill.result is not None
    assert drill.result["rto_seconds"] > 0


def test_a_drill_that_fails_is_a_failed_job(services: Services, jobs: Jobs, home: Path) -> None:
    jobs.run_inline([_queue(jobs, "backup")])
    for stored in (home / "backups").rglob("*.age"):
        stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    (drill,) = jobs.run_inline([_queue(jobs, "drill")])
    assert (drill.state, drill.error_code) == ("failed", "COACH-BKP-013")


def test_while_a_person_makes_a_backup_the_job_waits_for_its_turn(
    services: Services, settings: Settings, jobs: Jobs
) -> None:
    with turn(settings.home, services.database, "backup"):
        (row,) = jobs.run_inline([_queue(jobs, "backup")])
    assert row.result == {"rescheduled": "backup/by-hand/2"}
    later = jobs.get("backup/by-hand/2")
    assert later.state == "waiting"
    assert later.due_at is not None
    assert later.due_at > clock.now()


def test_the_integrity_check_reads_the_database_and_the_audit_chain(
    services: Services, jobs: Jobs
) -> None:
    make_pair(services.database)
    (row,) = jobs.run_inline([_queue(jobs, "integrity")])
    assert (row.state, row.result) == ("done", {"problems": 0, "audit_rows": 0})


def test_an_edited_audit_row_fails_the_integrity_check(
    services: Services, jobs: Jobs, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    with services.database.write() as session:
        session.execute(sa.update(AuditEvent).values(action="transcript.deleted"))
    (row,) = jobs.run_inline([_queue(jobs, "integrity")])
    assert (row.state, row.error_code) == ("failed", "COACH-SYS-009")


def test_after_an_outage_each_kind_is_due_once_and_not_for_every_missed_slot(
    services: Services, jobs: Jobs, schedule: Path
) -> None:
    _long_ago(services)
    schedule.write_text("")  # the built-in rows
    with idle_sweeper(services, jobs, schedule) as sweeper:
        sweeper.round()
    found = {kind: jobs.list_jobs(kind=kind) for kind in ("backup", "drill", "integrity")}
    assert {kind: len(rows) for kind, rows in found.items()} == {
        "backup": 1, "drill": 1, "integrity": 1,
    }  # fmt: skip


def test_a_backup_that_is_not_done_is_not_queued_a_second_time(
    services: Services, jobs: Jobs, schedule: Path
) -> None:
    _long_ago(services)
    schedule.write_text(NOTHING.replace('"backup"\ncron = "never"', '"backup"\ncron = "* * * * *"'))
    now = clock.now()
    for minute in range(3):
        with (
            clock.frozen(now + dt.timedelta(minutes=minute)),
            idle_sweeper(services, jobs, schedule) as sweeper,
        ):
            sweeper.round()
    (row,) = jobs.list_jobs(kind="backup")
    jobs.run_inline([row.id])
    with (
        clock.frozen(now + dt.timedelta(minutes=3)),
        idle_sweeper(services, jobs, schedule) as sweeper,
    ):
        sweeper.round()
    assert len(jobs.list_jobs(kind="backup")) == 2
