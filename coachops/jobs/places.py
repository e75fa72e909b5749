"""Places of executors: `worker-0`, `worker-1`, …, each held by one living process.

The engine recovers only what an executor of the same name left behind. So a process takes the lowest
free place, and thereby the unfinished work of whoever held it before; and a living worker can tell
that a place is dead, because its lock is free. The lock ends with the process, also by kill -9: a
file lock beside an embedded database, an advisory lock of the server on PostgreSQL.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.core.settings import Settings

PLACES = 64
_LOCK_CLASS = 0x636F_6163  # "coac": our advisory locks on the server


class Lock(Protocol):
    """A held place."""

    def alive(self) -> bool:
        """Whether the lock still holds."""

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
        lock = _ServerLock.take(settings.database_url, number)
    return Place(number, lock) if lock is not None else None


class _FileLock:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> _FileLock | None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return cls(handle)

    def alive(self) -> bool:
        return True

    def release(self) -> None:
        os.close(self._handle)


class _ServerLock:
    def __init__(self, engine: sa.Engine, connection: sa.Connection) -> None:
        self._engine = engine
        self._connection = connection

    @classmethod
    def take(cls, url: str, number: int) -> _ServerLock | None:
        # keepalives: after a power loss the server notices within ~11 s and gives the lock free
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": 3, "keepalives_idle": 5, "keepalives_interval": 2,
                "keepalives_count": 3, "application_name": f"coachops {place_name(number)}",
            },
        )  # fmt: skip
        try:
            connection = engine.connect()
            taken = connection.scalar(
                sa.text("SELECT pg_try_advisory_lock(:class, :number)"),
                {"class": _LOCK_CLASS, "number": number},
            )
        except sa.exc.SQLAlchemyError as error:
            engine.dispose()
            raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error
        if not taken:
            connection.close()
            engine.dispose()
            return None
        return cls(engine, connection)

    def alive(self) -> bool:
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            return False
        return True

    def release(self) -> None:
        try:
            self._connection.close()
        finally:
            self._engine.dispose()
