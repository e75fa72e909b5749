"""Places of executors: `worker-0`, `worker-1`, …, each held by one living process.

The engine recovers only what an executor of the same name left behind. So a process takes the lowest
free place, and thereby the unfinished work of whoever held it before; and a living worker can tell
that a place is dead, because its lock is free. The lock ends with the process, also by kill -9: a
file lock beside an embedded database, an advisory lock of the server on PostgreSQL.

The reverse also holds: who loses the lock while alive (the server ended the session, failed, or does
not answer) must end, because others take its work over. `Watch` tells within moments.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psycopg

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.postgres import WatchedConnection
from coachops.jobs.store import servers

PLACES = 64
LOCK_CLASS = 0x636F_6163
"""Our advisory locks on the server ("coac"): the places by their numbers, and `inline` behind them."""

LOOK_EVERY = 1.0
"""Seconds between two looks at the lock; a session that is ended is noticed at once."""
ANSWER_WITHIN = 5.0
"""Seconds after which a server that does not answer the look counts as lost."""


class Lock(Protocol):
    """A held place."""

    def alive(self) -> bool:
        """Whether the lock still holds."""

    def wait_for_news(self, seconds: float) -> None:
        """Wait at most so long for a sign that the lock may be lost."""

    def release(self) -> None:
        """Give the place free."""


class Place:
    """A place and its lock, free at the end of a `with` block."""

    def __init__(self, number: int, lock: Lock) -> None:
        self.number = number
        self.name = place_name(number)
        self._lock: Lock | None = lock

    def alive(self) -> bool:
        """Whether the place still is ours; False when the server ended our session."""
        return self._lock is not None and self._lock.alive()

    def wait_for_news(self, seconds: float) -> None:
        """Wait at most so long for a sign that the place may be lost."""
        if self._lock is not None:
            self._lock.wait_for_news(seconds)

    def release(self) -> None:
        """Give it free; a second time nothing happens."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Watch:
    """A thread that calls `on_lost` once when the place is no longer ours.

    Parameters:
        place: held by this process.
        on_lost: called in the thread; the process must end before others take its work over.
    """

    def __init__(self, place: Place, on_lost: Callable[[], object]) -> None:
        self._place, self._on_lost = place, on_lost
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coachops-place", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End; the place stays ours."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._place.alive():
                if not self._stopping.is_set():
                    self._on_lost()
                return
            self._place.wait_for_news(LOOK_EVERY)


def place_name(number: int) -> str:
    """The executor's name in a place."""
    return f"worker-{number}"


def take_lowest(settings: Settings) -> Place:
    """The lowest free place.

    Raises:
        CoachError: COACH-JOB-005 where all are taken, COACH-JOB-003 where the server is away.
    """
    for number in range(PLACES):
        place = try_take(settings, number)
        if place is not None:
            return place
    raise CoachError("COACH-JOB-005", count=PLACES)


def try_take(settings: Settings, number: int) -> Place | None:
    """The place of that number, or None where a living process holds it.

    Raises:
        CoachError: COACH-JOB-003 where the server is away.
    """
    if settings.database_url.startswith("sqlite"):
        lock: Lock | None = _FileLock.take(settings.home / "locks" / f"{place_name(number)}.lock")
    else:
        lock = _ServerLock.take(settings, number)
    return Place(number, lock) if lock is not None else None


class _FileLock:
    def __init__(self, handle: int, path: Path) -> None:
        self._handle = handle
        self._path = path
        self._closed = threading.Event()

    @classmethod
    def take(cls, path: Path) -> _FileLock | None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return cls(handle, path)

    def alive(self) -> bool:
        """Whether others would meet our lock: False when the file was deleted or replaced."""
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            return False

    def wait_for_news(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def release(self) -> None:
        self._closed.set()
        os.close(self._handle)


class _ServerLock:
    def __init__(self, session: WatchedConnection) -> None:
        self._session = session
        self._one_use = threading.Lock()

    @classmethod
    def take(cls, settings: Settings, number: int) -> _ServerLock | None:
        try:
            session = servers(settings).connect(write=True)
            session.autocommit = True
            row = session.execute(
                "SELECT set_config('application_name', %s, false), pg_try_advisory_lock(%s, %s)",
                (f"coachops {place_name(number)}", LOCK_CLASS, number),
            ).fetchone()
        except psycopg.Error as error:
            raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error
        if row is None or not row[1]:
            session.close()
            return None
        return cls(session)

    def alive(self) -> bool:
        """Whether the session answers, and the server still takes writes (it may have been demoted)."""
        with self._one_use:
            try:
                with self._session.limited(ANSWER_WITHIN):
                    row = self._session.execute("SELECT pg_is_in_recovery()").fetchone()
            except psycopg.Error:
                return False
        return row is not None and not row[0]

    def wait_for_news(self, seconds: float) -> None:
        """The session's socket becomes readable when the server ends it."""
        try:
            select.select([self._session.fileno()], [], [], seconds)
        except (OSError, ValueError, psycopg.Error):
            return  # closed: the next look tells

    def release(self) -> None:
        self._session.close()
