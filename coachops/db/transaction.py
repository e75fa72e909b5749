"""The unit of work: consistent reads, and writes that are repeated as a whole when the database asks.

A read sees one moment over all tables. A write is one transaction: all of it or nothing, and done
once although answers get lost.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.errors import CoachError, Kind
from coachops.db import integrity
from coachops.db.engine import (
    BUSY_SECONDS,
    WRITE,
    Limits,
    any_server_engine,
    parsed_url,
    postgres_engine,
    servers_of,
    sqlite_engine,
    sqlite_file,
)
from coachops.db.failures import (
    is_lost,
    is_transient,
    sqlstate,
    translated,
)
from coachops.db.fence import Fence
from coachops.db.operations import Once
from coachops.db.routing import READERS_LOOK_EVERY, Routes
from coachops.db.state import DatabaseState, Watch
from coachops.resilience import RetryPolicy

if TYPE_CHECKING:
    from coachops.core.settings import Settings
    from coachops.db.servers import Servers

T = TypeVar("T")

UNLIMITED = 10_000
"""Attempts: the deadline ends them."""

ASIDE_SECONDS = 0.2
"""How long a write beside a read waits for SQLite's lock."""


class Database:
    """A database of the suite, SQLite or PostgreSQL with one or several servers.

    Parameters:
        url: SQLAlchemy URL.
        policy: how a write is repeated; its deadline bounds the wait.
        zone: time zone of the organisation whose data it holds; days such as "today" are its days.
        limits: pool and waits.
        home: folder that remembers which primary is the valid one, and holds the secret of the list
            of erased clients; None: this process only.
    """

    def __init__(
        self,
        url: str,
        policy: RetryPolicy | None = None,
        *,
        zone: dt.tzinfo = clock.UTC,
        limits: Limits | None = None,
        home: Path | None = None,
    ) -> None:
        self.url = url
        self.zone = zone
        self.home = home
        self.limits = limits or Limits()
        self.servers: Servers | None = None
        self._watch = Watch()
        self._routes: Routes | None = None
        parsed = parsed_url(url)
        if parsed.get_backend_name() == "sqlite":
            self.engine: Engine = sqlite_engine(parsed, self.limits)
        else:
            self.servers = servers_of(parsed, Fence(home))
            self.engine = postgres_engine(self.servers, parsed, self.limits)
            fallback = any_server_engine(self.servers, parsed)
            self._routes = Routes(self.servers, self.engine, fallback, self._watch)
        self._policy = policy or RetryPolicy(UNLIMITED, 0.05, 0.5, self.limits.wait)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database that the settings name."""
        limits = Limits(
            settings.database_pool,
            settings.database_overflow,
            settings.database_pool_wait,
            settings.database_wait,
        )
        url, home = settings.database_url, settings.home
        return cls(url, zone=settings.zone, limits=limits, home=home)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.servers is None

    def today(self) -> dt.date:
        """The current day of the organisation's calendar."""
        return clock.today(self.zone)

    def state(self) -> DatabaseState:
        """Whether changes can be saved now; what was seen in the last second is not asked again."""
        if self._watch.fresh() or not self._watch.begin_look():
            return self._watch.state
        try:
            if self._routes is None:
                self._look_at_file()
            else:
                self._routes.look()
        finally:
            self._watch.end_look()
        return self._watch.state

    def check_integrity(self, *, full: bool = False) -> list[str]:
        """What is damaged, in words for an admin; empty where the database is sound.

        Parameters:
            full: also compare every index with its table (minutes for gigabytes; daily); else the
                structure only (at each start).
        """
        return integrity.problems(self, full=full)

    def require_sound(self) -> None:
        """Refuse to serve a damaged database.

        Raises:
            CoachError: COACH-DB-008.
        """
        if problems := self.check_integrity():
            raise CoachError("COACH-DB-008", reason=problems[0])

    @contextlib.contextmanager
    def connect(self, *, write: bool = False, busy: float | None = None) -> Iterator[Connection]:
        """A connection in one transaction, committed at the end; for bulk work below the ORM.

        Parameters:
            busy: seconds that a write waits for the lock of SQLite; None: half of the wait.

        Raises:
            CoachError: COACH-DB-001 … COACH-DB-011. A write that ends in COACH-DB-004 may have been
                committed or not.
        """
        with translated(self.limits.pool + self.limits.overflow), self._opened(write) as plain:
            options = self._options(write=write)
            if busy is not None:
                options[BUSY_SECONDS] = busy
            connection = plain.execution_options(**options)
            if write:
                with self._written(connection):
                    yield connection
                return
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(sa.text("SET TRANSACTION READ ONLY"))
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of all tables and cannot write on PostgreSQL.

        It reads from the primary, and from any other server while there is none.
        """
        with self.connect() as connection, Session(connection, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end of the block, once."""
        with (
            self.connect(write=True) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    def run(
        self,
        work: Callable[[Session], T],
        *,
        operation_id: uuid.UUID | None = None,
        repeated: Callable[[Session], T] | None = None,
    ) -> T:
        """The result of `work` in a write transaction, done exactly once.

        The transaction is repeated whole on transient failures until the deadline. Where the answer
        to a COMMIT was lost, the next attempt finds out whether it is there instead of doing it
        again. `work` must have no effect outside the database.

        Parameters:
            operation_id: an id that the caller gives again when it repeats the call, in this process
                or another (Idempotency-Key); known for two days.
            repeated: makes the result of a call whose id was used before from what is there.

        Raises:
            CoachError: COACH-DB-004 it is not certain whether the work was committed; COACH-DB-010
                the id was used before and there is no `repeated`; COACH-DB-001 … 011 of the last
                attempt, after which nothing was changed.
        """
        once = Once(self, work, operation_id, repeated)
        try:
            return self._patience().run(once, transient=is_transient)
        except Exception as error:
            final = once.final(error)
            if final is error:
                raise
            raise final from error

    def aside(self, work: Callable[[Session], object]) -> bool:
        """Write what a read leaves beside it (last seen, last used), if that is possible now.

        Reading must go on while nothing can be written: one short try, no error where the database
        is busy, read-only or away. Returns whether it was written.
        """
        if not self._watch.state.writable and self._watch.fresh(READERS_LOOK_EVERY):
            return False
        try:
            with (
                self.connect(write=True, busy=ASIDE_SECONDS) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                work(session)
                session.flush()
        except CoachError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            return False
        return True

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()
        if self._routes is not None:
            self._routes.close()

    def _patience(self) -> RetryPolicy:
        """Who comes when there has been no primary for longer than the wait is told at once."""
        waited = self._watch.seconds_without_writes
        if not waited:
            return self._policy
        left = max(0.0, self._policy.deadline - waited)
        return RetryPolicy(self._policy.attempts, self._policy.base, self._policy.cap, left)

    @contextlib.contextmanager
    def _opened(self, write: bool) -> Iterator[Connection]:
        if self._routes is None:
            opened = self.engine.connect()
        else:
            opened = self._routes.primary(write=True) if write else self._routes.readable()
        with opened as connection:
            yield connection

    @contextlib.contextmanager
    def _written(self, connection: Connection) -> Iterator[None]:
        transaction = connection.begin()
        try:
            yield
        except BaseException as error:
            if isinstance(error, exc.DBAPIError) and sqlstate(error.orig) == "25006":
                connection.invalidate(error)  # this server takes no writes any more
                self._watch.saw("read_only", "the server takes no writes")
            if transaction.is_active:
                with contextlib.suppress(exc.DBAPIError):
                    transaction.rollback()
            raise
        if self.is_sqlite:
            transaction.commit()
        else:
            self._commit(connection, transaction)

    def _commit(self, connection: Connection, transaction: sa.RootTransaction) -> None:
        """Commit on PostgreSQL; only a confirmed commit returns.

        Raises:
            CoachError: COACH-DB-004 where the answer was lost, did not come within the wait, or the
                wait for the standby was cancelled (the server then reports success).
        """
        raw: Any = connection.connection.driver_connection
        raw.unconfirmed = False
        try:
            with raw.limited(self.limits.wait):
                transaction.commit()
        except exc.DBAPIError as error:
            if is_lost(error):
                self._watch.saw("read_only", "a commit was not confirmed")
                raise CoachError("COACH-DB-004") from error
            raise
        if raw.unconfirmed:
            self._watch.saw("read_only", "a commit was not confirmed")
            raise CoachError("COACH-DB-004")

    def _look_at_file(self) -> None:
        file = sqlite_file(self.engine)
        if file is None or os.access(file, os.W_OK):
            self._watch.saw("read_write")
        elif file.exists():
            self._watch.saw("read_only", "its file cannot be written")
        else:
            self._watch.saw("down", "its file is not there")

    def _options(self, *, write: bool) -> dict[str, object]:
        if self.is_sqlite:
            return {WRITE: write}
        return {"isolation_level": "READ COMMITTED" if write else "REPEATABLE READ"}
