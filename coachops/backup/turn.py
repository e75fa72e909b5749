"""One backup, drill or restore at a time, on this machine and on all that share a database.

The lock ends with the process, also by kill -9: a file lock in the home folder, and on PostgreSQL an
advisory lock of the server as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database

_LOCK = 7_301_007


@contextlib.contextmanager
def turn(home: Path, database: Database | None, what: str) -> Iterator[None]:
    """Hold the turn for the block.

    Parameters:
        what: `backup`, `drill` or `restore`, to tell others.

    Raises:
        CoachError: COACH-BKP-005 where another one runs.
    """
    path = _path(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CoachError("COACH-BKP-005", what=_read(handle)) from None
        note = {"what": what, "since": clock.now().isoformat(timespec="seconds")}
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)
        with _server_turn(database):
            yield
    finally:
        os.close(handle)


def running(home: Path) -> str | None:
    """What runs on this machine now, in words; None where nothing does."""
    path = _path(home)
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(file.fileno())
    return None


def _path(home: Path) -> Path:
    return home / "locks" / "backup.lock"


def _read(handle: int) -> str:
    try:
        note = json.loads(os.pread(handle, 1_000, 0))
        return f"{note['what']} since {note['since']}"
    except (ValueError, KeyError, TypeError):
        return "another one"


@contextlib.contextmanager
def _server_turn(database: Database | None) -> Iterator[None]:
    if database is None or database.is_sqlite:
        yield
        return
    engine = sa.create_engine(
        database.engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            query = sa.text("SELECT pg_try_advisory_lock(:lock)")
            if not connection.scalar(query, {"lock": _LOCK}):
                raise CoachError("COACH-BKP-005", what="on another machine")
            try:
                yield
            finally:
                # a server lets go by itself only some time after a connection ended: too late for
                # an act that follows at once
                with contextlib.suppress(sa.exc.DBAPIError):
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
    except sa.exc.OperationalError as error:
        raise CoachError("COACH-DB-001", reason="the server is away") from error
    finally:
        engine.dispose()
