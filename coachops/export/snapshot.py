"""One moment of the database, seen by every process that writes parts of an export.

PostgreSQL: a transaction exports its snapshot and stays open; others import it, on that very
server. SQLite: nobody can join a moment later, so all readers open their transactions while the
write lock is held for an instant; a small file is read by this process alone. Either way a moment
has a *token*: text that `write_part` takes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.engine import sqlite_file
from coachops.export.plan import Plan
from coachops.export.planning import no_time_limit
from coachops.export.tokens import PostgresToken
from coachops.export.workers.pool import Pool

SMALL_BYTES = 24 * 1024 * 1024
"""An SQLite file up to this size is read by this process: starting others would take longer."""

DEFAULT_WORKERS = 2
"""Processes that read a larger SQLite file, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class SqliteMoment:
    """A moment of an SQLite file.

    Attributes:
        connection: sees it, for the plan and for small files.
        lock: taken while `connection` is read.
        pool: processes that see it too; None for a small file.
    """

    connection: Connection
    lock: threading.RLock
    pool: Pool | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that is held.

    Attributes:
        connection: sees it. token: for `write_part`.
    """

    connection: Connection
    token: str


_held: dict[str, SqliteMoment] = {}


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
def open_moment(database: Database, *, workers: int = 0) -> Iterator[Moment]:
    """This moment, held until the block ends, with a connection that sees it.

    Raises:
        CoachError: as `hold_snapshot`.
    """
    if database.is_sqlite:
        with _sqlite_moment(database, workers) as held:
            token = f"sqlite-{ids.new_id()}"
            _held[token] = held
            try:
                yield Moment(held.connection, token)
            finally:
                del _held[token]
        return
    with database.connect() as connection:
        no_time_limit(connection)
        raw: Any = connection.connection.driver_connection
        facts = raw.facts
        snapshot = str(connection.scalar(sa.text("SELECT pg_export_snapshot()")))
        token = PostgresToken(
            str(facts.host), facts.system, facts.started, facts.timeline, snapshot
        ).to_text()
        yield Moment(connection, token)


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
    if file is None or (workers < 2 and _is_small(file)):
        with database.connect() as connection:
            _begin_reading(connection)
            yield SqliteMoment(connection, threading.RLock(), None)
        return
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(Pool(workers or DEFAULT_WORKERS, sqlite=file.absolute()))
        with database.connect(write=True):  # nobody else writes while all begin to read
            connection = stack.enter_context(database.connect())
            _begin_reading(connection)
            pool.begin()
        yield SqliteMoment(connection, threading.RLock(), pool)


def _is_small(file: Path) -> bool:
    return file.stat().st_size <= SMALL_BYTES


def _begin_reading(connection: Connection) -> None:
    """SQLite fixes the moment at the first read, not at BEGIN."""
    connection.execute(sa.text("SELECT count(*) FROM sqlite_master"))
