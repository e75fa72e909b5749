"""Analyses outside of the queue: `coachops transcript analyse` works in its own process.

While such a process lives it holds a shared lock. So the sweeper can tell a transcript that is being
analysed now from one whose process was killed, and need not wait for the longest analysis there is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.postgres import WatchedConnection
from coachops.jobs.places import LOCK_CLASS, PLACES
from coachops.jobs.store import servers

_NUMBER = PLACES
"""Behind the locks of the places."""


@contextlib.contextmanager
def analysing_here(settings: Settings) -> Iterator[None]:
    """This process analyses inside the block; several may.

    Raises:
        CoachError: COACH-JOB-003 where the server is away.
    """
    if settings.database_url.startswith("sqlite"):
        with _file(settings) as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield
        return
    with _server(settings) as session:
        session.execute("SELECT pg_advisory_lock_shared(%s, %s)", (LOCK_CLASS, _NUMBER))
        yield


def anybody_analyses(settings: Settings) -> bool:
    """Whether a living process analyses outside of the queue.

    Raises:
        CoachError: COACH-JOB-003 where the server is away.
    """
    if settings.database_url.startswith("sqlite"):
        with _file(settings) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    with _server(settings) as session:  # its end gives the lock free
        row = session.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, _NUMBER)
        ).fetchone()
        return row is None or not row[0]


@contextlib.contextmanager
def _file(settings: Settings) -> Iterator[int]:
    path: Path = settings.home / "locks" / "inline.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[WatchedConnection]:
    try:
        session = servers(settings).connect(write=True)
    except psycopg.Error as error:
        raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error
    try:
        session.autocommit = True
        yield session
    finally:
        session.close()
