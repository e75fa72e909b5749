"""Exports as jobs: asked for with addresses, queued with ids, whole or not there."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from coachops import privacy
from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.models import Coach
from coachops.export import DATASETS, require_intact, snapshot, verify_export
from coachops.export.issued import ExportRequest, Owner, Registry, open_place
from coachops.export.issued.places import listing
from coachops.export.moments import mark_of
from coachops.jobs import Jobs, coordinating
from coachops.jobs.exports import SUITE, register
from coachops.jobs.queue import JobQueue
from coachops.jobs.runtime import Outcome
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, everything_stored
from tests.support.patience import PATIENCE, command_line, descendants

POSTGRES = pytest.mark.parametrize("backend", ["postgres"])


def test_an_export_is_made_below_the_home_and_proves_itself(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    make_transcript(services.database, pair)
    queued = jobs.enqueue_export(
        SYSTEM, formats=["csv", "json"], clients=[f"{pair.client_id}"], until=dt.date(2027, 1, 1)
    )
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error) == ("done", None)
    folder = Path(jobs.export_of(queued).place)
    assert folder.parent == settings.home / "exports"
    require_intact(folder, verify_export(folder))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["formats"] == ["csv", "json"]
    assert row.result is not None
    assert row.result["export_id"] == manifest["export_id"]
    export = jobs.export_of(queued)
    assert (export.state, str(export.id)) == ("ready", manifest["export_id"])
    assert export.rows == sum(each["rows"] for each in manifest["datasets"])
    assert export.parts_done == export.parts > 1
    assert {entry["path"] for entry in export.files} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    assert list(folder.parent.glob(".*.partial-*")) == []


@SQLITE
def test_the_job_holds_ids_instead_of_addresses(
    settings: Settings, jobs: Jobs, services: Services, pair: Pair
) -> None:
    with services.database.read() as session:
        address = session.get_one(Coach, pair.coach_id).email
    jobs.enqueue_export(SYSTEM, coaches=[address])
    assert str(pair.coach_id) in everything_stored(settings)
    assert address not in everything_stored(settings)


@SQLITE
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"formats": ["odt"]}, "COACH-EXP-002"),
        ({"datasets": ["secrets"]}, "COACH-EXP-001"),
        ({"csv_profile": "odd"}, "COACH-EXP-008"),
        ({"compression": "rar"}, "COACH-EXP-016"),
        ({"privacy": "none"}, "COACH-SYS-002"),
        ({"clients": ["nobody@example.org"]}, "COACH-CCH-001"),
        ({"since": dt.date(2026, 2, 1), "until": dt.date(2026, 1, 1)}, "COACH-EXP-007"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_it_is_queued(
    jobs: Jobs, wanted: dict[str, object], code: str
) -> None:
    with pytest.raises(CoachError, match=code):
        jobs.enqueue_export(SYSTEM, **wanted)  # type: ignore[arg-type]  # by name
    assert jobs.list_jobs() == []


def test_of_many_kick_offs_at_once_no_more_are_open_than_somebody_may_have(
    settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    barrier = threading.Barrier(settings.export_open + 3)

    def ask(_: int) -> str:
        barrier.wait()
        try:
            jobs.exports.start(Owner.of(pair.actor), datasets=["coaches"])
        except CoachError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(barrier.parties) as threads:
        answers = sorted(threads.map(ask, range(barrier.parties)))
    assert answers == [""] * settings.export_open + ["COACH-EXP-053"] * 3
    for _ in range(settings.export_open + 1):  # the command line has the whole machine
        jobs.exports.start(SUITE, datasets=["coaches"])


@SQLITE
def test_a_failed_export_is_retried_as_it_was_asked_for(
    settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], datasets=["coaches"])
    folder = Path(jobs.export_of(queued).place)
    folder.mkdir(parents=True)
    (folder / "in the way").write_text("x")
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-003")
    (folder / "in the way").unlink()
    (again,) = jobs.run_inline([jobs.retry(SYSTEM, queued)])
    assert again.state == "done"
    assert {path.suffix for path in (folder / "data").iterdir()} == {".jsonl"}


@SQLITE
def test_only_the_job_of_an_export_has_one(jobs: Jobs) -> None:
    with pytest.raises(CoachError, match="COACH-JOB-001"):
        jobs.export_of("report/weekly_operations/x/1")
    with pytest.raises(CoachError, match="COACH-EXP-040"):
        jobs.export_of("export/x/1")


@SQLITE
def test_a_command_that_was_killed_while_it_exported_does_not_stay_under_way(
    jobs: Jobs,
) -> None:
    made, _ = jobs.exports.registry.create(
        SUITE, ExportRequest(), place="/nowhere", managed=False, state="running"
    )
    jobs.exports.sweep(clock.now())
    assert jobs.exports.get(SUITE, str(made.id)).state == "running"
    with clock.frozen(clock.now() + dt.timedelta(days=3)):
        jobs.exports.sweep(clock.now())
    error = jobs.exports.get(SUITE, str(made.id)).error
    assert error is not None
    assert error.code == "COACH-EXP-052"


@SQLITE
def test_an_export_that_nobody_queued_is_queued_and_old_files_are_deleted(
    jobs: Jobs, services: Services, pair: Pair
) -> None:
    made, _ = register(services, SUITE, ExportRequest(datasets=("clients",)))
    jobs.exports.sweep(clock.now())
    (row,) = jobs.list_jobs(kind="export")
    assert jobs.run_inline([row.id])[0].state == "done"
    folder = Path(made.place)
    assert jobs.exports.delete_old() == 0
    assert folder.exists()
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        assert jobs.exports.delete_old() == 1
        assert jobs.exports.delete_old() == 0
    assert not folder.exists()
    assert jobs.exports.get(SUITE, made.key).state == "expired"


def test_an_export_whose_parts_somebody_removed_is_not_published_and_is_written_again(
    services: Services, jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_transcript(services.database, pair)
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"])
    folder = Path(jobs.export_of(queued).place)
    publish = coordinating.publish

    def too_late(services: Services, export_id: uuid.UUID) -> Outcome:
        open_place(
            services.settings, str(folder), export_id
        ).discard()  # a clean-up of old leftovers
        return publish(services, export_id)

    monkeypatch.setattr(coordinating, "publish", too_late)
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-006")
    assert not folder.exists()
    monkeypatch.setattr(coordinating, "publish", publish)
    (again,) = jobs.run_inline([jobs.retry(SYSTEM, queued)])
    assert again.state == "done", again.error
    require_intact(folder, verify_export(folder))


@SQLITE
def test_a_reading_process_that_dies_is_replaced_and_the_export_goes_on(
    services: Services, jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SMALL_BYTES", 0)
    monkeypatch.setattr(coordinating, "PATIENCE", PATIENCE)
    make_transcript(services.database, pair)
    write, at_once = coordinating.write, threading.Lock()
    killed: list[int] = []

    def after_a_death(*args: Any) -> str:
        with at_once:
            for child in descendants() if not killed else ():
                if "coachops.export.workers.child" in command_line(child):
                    child.kill()
                    killed.append(child.pid)
        return write(*args)

    monkeypatch.setattr(coordinating, "write", after_a_death)
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"])
    (row,) = jobs.run_inline([queued])
    assert killed
    assert row.state == "done", row.error
    folder = Path(jobs.export_of(queued).place)
    require_intact(folder, verify_export(folder))


@SQLITE
def test_an_export_whose_reading_processes_always_die_is_given_up(
    services: Services, jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinating, "PATIENCE", 1.0)

    def dies(*_: object) -> str:
        raise CoachError("COACH-EXP-021", reason="signal 9")

    monkeypatch.setattr(coordinating, "write", dies)
    (row,) = jobs.run_inline([jobs.enqueue_export(SYSTEM, formats=["jsonl"])])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-021")


@POSTGRES
def test_a_part_whose_job_was_given_up_fails_the_export_instead_of_being_waited_for(
    jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinating, "ASK_EVERY", 0.1)

    def away(*_: object) -> str:
        raise CoachError("COACH-DB-001", reason="the worker does not reach it")

    monkeypatch.setattr(coordinating, "write", away)
    (row,) = jobs.run_inline([jobs.enqueue_export(SYSTEM, formats=["jsonl"], datasets=["coaches"])])
    assert (row.state, row.error_code) == ("failed", "COACH-JOB-002")


@POSTGRES
def test_a_queue_that_is_away_for_a_moment_ends_no_export_and_its_plan_stays(
    jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue, away = JobQueue.enqueue_part, iter([False, True, True, False, True])

    def sometimes(self: JobQueue, *arguments: Any) -> str:
        if next(away, False):
            raise CoachError("COACH-JOB-003", reason="OperationalError")
        return enqueue(self, *arguments)

    moments: list[object] = []
    hold = Registry.hold

    def held(self: Registry, export_id: uuid.UUID, generation: int, token: str | None) -> None:
        moments.append(token)
        hold(self, export_id, generation, token)

    monkeypatch.setattr(Registry, "hold", held)
    monkeypatch.setattr(JobQueue, "enqueue_part", sometimes)
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"])
    (row,) = jobs.run_inline([queued])
    assert row.state == "done", row.error
    assert next(away, None) is None
    assert len(moments) == 1


@POSTGRES
def test_an_export_whose_queue_stays_away_is_given_up_and_one_that_is_cancelled_waits_no_longer(
    jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinating, "PATIENCE", 0.5)

    def away(*_: object) -> str:
        raise CoachError("COACH-JOB-003", reason="OperationalError")

    monkeypatch.setattr(JobQueue, "enqueue_part", away)
    (row,) = jobs.run_inline([jobs.enqueue_export(SYSTEM, formats=["jsonl"], datasets=["coaches"])])
    assert (row.state, row.error_code) == ("failed", "COACH-JOB-003")

    monkeypatch.setattr(coordinating, "PATIENCE", 120.0)
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], datasets=["coaches"])

    def stopped(*_: object) -> str:
        with contextlib.suppress(CoachError):
            jobs.exports.registry.cancel(SUITE, str(jobs.export_of(queued).id))
        return away()

    monkeypatch.setattr(JobQueue, "enqueue_part", stopped)
    (row,) = jobs.run_inline([queued])
    assert (row.state, jobs.export_of(queued).state) == ("done", "cancelled")


@SQLITE
@pytest.mark.parametrize("late", [False, True])
def test_a_command_whose_export_is_cancelled_meanwhile_leaves_nothing(
    services: Services,
    jobs: Jobs,
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    late: bool,
) -> None:
    """As an erasure does, which must not leave the client in what appears afterwards."""
    make_transcript(services.database, pair)

    def cancel() -> None:
        (export,) = jobs.exports.page(SUITE)
        if export.open:
            jobs.exports.remove(SUITE, str(export.id))

    def files(folder: Path, manifest: dict[str, Any]) -> list[dict[str, Any]]:
        cancel()
        return listing(folder, manifest)

    monkeypatch.setattr("coachops.jobs.here.listing", files)
    with pytest.raises(CoachError) as caught:
        jobs.exports.run_here(
            SUITE, tmp_path / "out", progress=lambda *_: None if late else cancel()
        )
    assert caught.value.code == "COACH-EXP-044"
    assert list(tmp_path.glob("*out*")) == []


@SQLITE
def test_the_data_count_as_others_where_a_schema_is_of_another_version(
    services: Services, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an update of the suite in the middle of an export would mix rows of two schemas."""
    with services.database.connect() as connection:
        before = mark_of(connection)
        assert mark_of(connection) == before
        newer = dataclasses.replace(DATASETS["goals"], version="1.1.0")
        monkeypatch.setitem(DATASETS, "goals", newer)
        assert mark_of(connection) != before


@SQLITE
def test_files_of_exports_do_not_expire_while_a_legal_hold_stands(
    services: Services, jobs: Jobs, pair: Pair
) -> None:
    queued = jobs.enqueue_export(SYSTEM, datasets=["clients"])
    jobs.run_inline([queued])
    folder = Path(jobs.export_of(queued).place)
    hold = privacy.add(services.database, SYSTEM, pair.client_id, "claim pending")
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        assert jobs.exports.delete_old() == 0
        assert folder.exists()
        privacy.release(services.database, SYSTEM, str(hold))
        assert jobs.exports.delete_old() == 1
        assert not folder.exists()
