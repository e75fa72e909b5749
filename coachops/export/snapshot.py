"""One moment of the database, seen by every process that writes parts of an export.

PostgreSQL: a transaction exports its snapshot and stays open; others import it, on that very
server. SQLite: nobody can join a moment later, so all readers open their transactions while the
write lock is held for an instant; a small file is read by this process alone. Either way a moment
has a *token*: text that `write_part` takes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.engine import sqlite_file
from coachops.export.limits import no_time_limit
from coachops.export.moments import mark_of
from coachops.export.plan import Plan
from coachops.export.tokens import PostgresToken
from coachops.export.workers.pool import Pool

SMALL_BYTES = 24 * 1024 * 1024
"""An SQLite file up to this size is read by this process: starting others would take longer."""

DEFAULT_WORKERS = 2
"""Processes that read a larger SQLite file, unless told otherwise."""

_CANCEL_SECONDS = 5.0
"""How long a server may take to hear that a statement is to end."""


class SqliteMoment:
    """A moment of an SQLite file. A context manager: it is held until the block ends.

    Attributes:
        lock: taken while `connection` is read.
        pool: processes that see it too, once it is settled; None for a small file.
    """

    def __init__(self, database: Database, pool: Pool | None) -> None:
        self.pool = pool
        self.lock = threading.RLock()
        self._database = database
        self._reading = contextlib.ExitStack()
        self._settled = pool is None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.close()

    @property
    def connection(self) -> Connection:
        """Sees the moment, for the plan and for small files."""
        if self._connection is None:
            raise TypeError("this moment is not held")
        return self._connection

    def settle(self) -> bool:
        """Let the other processes see the moment; whether it is still the one that was seen so far.

        If rows changed meanwhile it is a new one, for `connection` too, and this is asked no more.
        """
        if self._settled or self.pool is None:
            return True
        self.pool.wait()
        seen = mark_of(self.connection)
        with self._database.connect(write=True) as alone:  # nobody else writes while all begin
            same = mark_of(alone) == seen
            if not same:
                self._begin()
            self.pool.begin()
        self._settled = True
        return same

    def _begin(self) -> None:
        """SQLite fixes the moment at the first read, not at BEGIN."""
        self._reading.close()
        self._connection = self._reading.enter_context(self._database.connect())
        self._connection.execute(sa.text("SELECT count(*) FROM sqlite_master"))


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that is held.

    Attributes:
        token: for `write_part`.
        settle: before parts are written, of a moment that was opened `lightly`: while it is false,
            rows had changed, and a plan must be made anew.
        cancel: end the statement that another thread has `connection` do (PostgreSQL).
    """

    token: str
    settle: Callable[[], bool]
    cancel: Callable[[], None]
    _connection: Callable[[], Connection]

    @property
    def connection(self) -> Connection:
        """Sees the moment."""
        return self._connection()


_held: dict[str, SqliteMoment] = {}
_pools: dict[str, Pool] = {}
"""By token: on PostgreSQL the processes that wait for orders of an export."""


@contextlib.contextmanager
def hold_snapshot(database: Database, plan: Plan, *, workers: int = 0) -> Iterator[str]:
    """The token of this moment, which is held until the block ends.

    An export whose plan is older asks first whether the database is still as it was.

    Parameters:
        plan: of the export that will read.
        workers: processes that read SQLite; 0 chooses by the size of the file.

    Raises:
        CoachError: COACH-DB-001 … -011, COACH-EXP-021.
    """
    if plan.database["kind"] != database.engine.dialect.name:
        raise CoachError("COACH-EXP-020", reason="it is of another database")
    with open_moment(database, workers=workers) as moment:
        yield moment.token


@contextlib.contextmanager
def open_moment(database: Database, *, workers: int = 0, lightly: bool = False) -> Iterator[Moment]:
    """This moment, held until the block ends, with a connection that sees it.

    Parameters:
        workers: processes that read; 0 chooses by the size of the file, and is one on PostgreSQL.
        lightly: do not wait for the processes that read SQLite; then `Moment.settle` must be asked.

    Raises:
        CoachError: as `hold_snapshot`.
    """
    if database.is_sqlite:
        with _sqlite_moment(database, workers) as held:
            token = f"sqlite-{ids.new_id()}"
            _held[token] = held
            try:
                if not lightly:
                    held.settle()
                yield Moment(token, held.settle, lambda: None, lambda: held.connection)
            finally:
                del _held[token]
        return
    with contextlib.ExitStack() as stack:
        pool = (
            stack.enter_context(Pool(workers, servers=servers_of(database)))
            if workers > 1
            else None
        )
        connection = stack.enter_context(database.connect())
        no_time_limit(connection)
        raw: Any = connection.connection.driver_connection
        facts = raw.facts
        snapshot = str(connection.scalar(sa.text("SELECT pg_export_snapshot()")))
        token = PostgresToken(
            str(facts.host), facts.system, facts.started, facts.timeline, snapshot
        ).to_text()
        if pool is not None:
            _pools[token] = pool
            stack.callback(_pools.pop, token)
        yield Moment(token, lambda: True, partial(_cancel, raw), lambda: connection)


def pool_of(token: str) -> Pool | None:
    """The processes that read the moment of a token; None where this one does."""
    return _held[token].pool if token in _held else _pools.get(token)


def sqlite_moment(token: str) -> SqliteMoment:
    """The moment of a token that this process holds.

    Raises:
        CoachError: COACH-EXP-020.
    """
    try:
        return _held[token]
    except KeyError:
        raise CoachError("COACH-EXP-020", reason="this process does not hold it") from None


def servers_of(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """The servers of a PostgreSQL database: their names, and what a driver needs to reach them."""
    if database.servers is None:
        raise CoachError("COACH-EXP-020", reason="it is of another database")
    return [(str(host), database.servers.parameters(host)) for host in database.servers.hosts]


@contextlib.contextmanager
def _sqlite_moment(database: Database, workers: int) -> Iterator[SqliteMoment]:
    file = sqlite_file(database.engine)
    with contextlib.ExitStack() as stack:
        pool = None
        if file is not None and (workers > 1 or not _is_small(file)):
            chosen = Pool(workers or DEFAULT_WORKERS, sqlite=file.absolute())
            pool = stack.enter_context(chosen)
        yield stack.enter_context(SqliteMoment(database, pool))


def _cancel(raw: Any) -> None:
    import psycopg  # noqa: PLC0415 of no use to SQLite

    with contextlib.suppress(psycopg.Error):  # the server is away: then the statement has ended
        raw.cancel_safe(timeout=_CANCEL_SECONDS)


def _is_small(file: Path) -> bool:
    return file.stat().st_size <= SMALL_BYTES
