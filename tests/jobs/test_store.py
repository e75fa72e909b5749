"""The queue's own file may be lost or damaged: a new one is begun, and the data say what is due."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.jobs import Jobs
from coachops.jobs.findings import GRACE, sweep_transcripts
from coachops.jobs.queue import JobQueue
from coachops.jobs.store import ensure_store, store_file, store_url
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, transcript


def _file(settings: Settings) -> Path:
    path = store_file(settings)
    assert path is not None
    return path


def _aside(settings: Settings) -> list[Path]:
    return sorted(settings.home.glob("jobs.db.corrupt-*Z"))


def _damage(path: Path) -> None:
    """Overwrite the page at which the table of jobs begins."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((size,),) = connection.execute("PRAGMA page_size")
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'workflow_status'"
        ((page,),) = connection.execute(query)
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@SQLITE
def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    transcript_id = make_transcript(services.database, pair)
    settings.home.mkdir(exist_ok=True)
    _file(settings).write_bytes(b"not a database, but long enough to be taken for one" * 100)
    (row,) = jobs.run_inline([jobs.enqueue_pipeline(transcript_id)])
    assert row.state == "done"
    (aside,) = _aside(settings)
    assert aside.read_bytes().startswith(b"not a database")
    assert "set aside" in caplog.text


@SQLITE
def test_damage_in_the_middle_is_found_when_a_worker_starts(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    jobs.enqueue_pipeline(transcript_id)
    jobs.stop()
    _damage(_file(settings))
    ensure_store(settings)  # its beginning still reads well
    assert _aside(settings) == []
    ensure_store(settings, thorough=True)
    assert len(_aside(settings)) == 1
    with clock.frozen(clock.now() + GRACE):
        assert sweep_transcripts(services.database, jobs.queue, settings) == 1
    jobs.run_inline([f"pipeline/{transcript_id}/1"])
    assert transcript(services, transcript_id).state == "analysed"


@SQLITE
def test_damage_met_by_a_surface_is_told_with_a_code_and_mended_at_the_next_call(
    settings: Settings,
) -> None:
    queue = JobQueue(settings)
    queue.enqueue_pipeline(ids.new_id())
    queue.close()
    path = _file(settings)
    _damage(path)
    with pytest.raises(CoachError, match="COACH-JOB-006") as caught:
        queue.list_jobs()
    assert caught.value.details["path"] == path
    assert queue.list_jobs() == []
    assert len(_aside(settings)) == 1
    queue.close()


@SQLITE
def test_a_surface_goes_on_with_the_new_file_when_the_old_one_was_taken_away(
    settings: Settings,
) -> None:
    queue, other = JobQueue(settings), JobQueue(settings)
    first = queue.enqueue_pipeline(ids.new_id())
    assert [row.id for row in other.list_jobs()] == [first]
    _file(settings).rename(settings.home / "away.db")
    second = queue.enqueue_pipeline(ids.new_id())
    assert [row.id for row in other.list_jobs()] == [second]
    queue.close()
    other.close()


def test_of_several_servers_the_one_that_takes_writes_is_asked(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u@/x?host=a%3A5432&host=b%3A5433&target_session_attrs=any"
    found = sa.make_url(store_url(load_settings(home=tmp_path, database_url=url)))
    assert found.query["host"] == ("a:5432", "b:5433")
    assert found.query["target_session_attrs"] == "read-write"
