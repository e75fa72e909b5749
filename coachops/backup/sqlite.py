"""The embedded database: `VACUUM INTO` copies of it and of the queue's store, while others write.

`VACUUM INTO` reads one moment of the whole file in one statement; writers go on (WAL). It also reads
every page, so a damaged database is found here. The store of the queue is copied first: work that it
calls done is then never missing from the business data, and work that it calls open is done again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from coachops.backup import snapshot as snapshots
from coachops.backup.engines import Artefacts, Part
from coachops.backup.model import Manifest, Problem, Snapshot
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.engine import sqlite_file

DATABASE = "coachops.db"
JOBS = "jobs.db"
_BUSY_SECONDS = 30.0
_PROBLEMS = 5


class SqliteEngine:
    """See `engines.Engine`.

    Parameters:
        settings: the home folder, where the queue's store lies.
        database: the live one; None where it is lost.
    """

    name = "sqlite"

    def __init__(self, settings: Settings, database: Database | None) -> None:
        self._settings = settings
        self._database = database

    def take(self, work: Path, backup_id: str) -> Artefacts:
        """See `Engine`."""
        source = sqlite_file(self._database.engine) if self._database is not None else None
        if source is None or not source.is_file():
            raise CoachError("COACH-DB-001", reason="there is no database file")
        parts = []
        jobs = self._settings.home / JOBS
        if jobs.is_file():
            _copy(jobs, work / JOBS)
            parts.append(Part(JOBS, work / JOBS, "jobs"))
        made_at = clock.now()
        _copy(source, work / DATABASE)
        parts.append(Part(DATABASE, work / DATABASE, "database"))
        return Artefacts(
            made_at=made_at,
            snapshot=_snapshot(work),
            parts=tuple(parts),
            tools={"sqlite": sqlite3.sqlite_version},
        )

    def restore(
        self,
        manifest: Manifest,
        parts: Mapping[str, Path],
        target: Path,
        at: dt.datetime | None,
    ) -> None:
        """See `Engine`. There is no moment between two snapshots: the caller chose the newest."""
        for name in (JOBS, DATABASE):
            if name in parts:
                parts[name].replace(target / name)

    @contextlib.contextmanager
    def opened(self, target: Path) -> Iterator[Database]:
        """See `Engine`."""
        database = Database(f"sqlite:///{target / DATABASE}", zone=self._settings.zone)
        try:
            yield database
        finally:
            database.close()

    def standing(self, target: Path) -> contextlib.AbstractContextManager[Database]:
        """See `Engine`: its one moment is that of the snapshot."""
        return self.opened(target)

    def check(self, target: Path, database: Database) -> list[str]:
        """See `Engine`."""
        return [
            f"{name}: {problem}"
            for name in (DATABASE, JOBS)
            if (target / name).is_file()
            for problem in _integrity(target / name)
        ]

    def snapshot(self, database: Database) -> Snapshot:
        """See `Engine`."""
        file = sqlite_file(database.engine)
        if file is None:
            raise ValueError("a database in memory has no snapshot")
        return _snapshot(file.parent, file.name)

    def verify(self, manifest: Manifest) -> list[str]:
        """See `Engine`: the digests of the files say all."""
        return []

    def reach(self, manifests: Sequence[Manifest]) -> dt.datetime | None:
        """See `Engine`: the newest backup's heartbeat."""
        beats = [one.snapshot.heartbeat for one in manifests if one.snapshot.heartbeat]
        return max(beats, default=None)

    def covers(self, manifest: Manifest, at: dt.datetime) -> bool:
        """See `Engine`: only the moment of the snapshot itself."""
        return manifest.made_at == at

    def follow(self) -> None:
        """See `Engine`: there is no log between two snapshots."""

    def problems(self, manifests: Sequence[Manifest]) -> list[Problem]:
        """See `Engine`."""
        return []

    def how_to_start(self, target: Path) -> tuple[str, ...]:
        """See `Engine`."""
        return ()

    def forget(self, dropped: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        """See `Engine`: all its files are listed."""


def _copy(source: Path, target: Path) -> None:
    """A copy of one moment of a database that others write to."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        ) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise CoachError("COACH-BKP-004", place=str(target.parent)) from error
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise CoachError("COACH-DB-002") from error
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise CoachError("COACH-DB-008", reason=str(error)) from error
        raise CoachError("COACH-DB-001", reason=str(error)) from error


def _snapshot(folder: Path, name: str = DATABASE) -> Snapshot:
    """The state of a database file that nobody writes to, with the queue's store beside it."""
    with _frozen(folder / name) as connection:
        taken = snapshots.take(connection)
    tables = dict(taken.tables)
    if (folder / JOBS).is_file():
        with _frozen(folder / JOBS) as connection:
            found = snapshots.table_states(connection)
        tables |= {f"jobs.{name}": state for name, state in found.items()}
    return taken.model_copy(update={"tables": tables})


@contextlib.contextmanager
def _frozen(path: Path) -> Iterator[sa.Connection]:
    """A connection that changes nothing, not even the journal mode."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    engine = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        raise CoachError("COACH-DB-008", reason=str(error.orig)) from error
    finally:
        engine.dispose()


def _integrity(path: Path) -> list[str]:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        ) as connection:
            found = [
                str(row[0])
                for row in connection.execute(f"PRAGMA integrity_check({_PROBLEMS})")
                if row[0] != "ok"
            ]
            loose = connection.execute("PRAGMA foreign_key_check").fetchmany(_PROBLEMS)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [f"a row of {row[0]} points at none of {row[2]}" for row in loose]
