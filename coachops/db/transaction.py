"""The unit of work: consistent reads, and writes that are repeated as a whole when the database asks.

A read sees one moment over all tables. A write is one transaction: all of it or nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.engine import WRITE, make_engine
from coachops.resilience import RetryPolicy

T = TypeVar("T")

_RETRYABLE_STATES = frozenset(
    [
        "40001",
        "40P01",
        "55P03",
        "57P01",
        "57P02",
        "57P03",
        "25006",
        "53300",
        "08000",
        "08001",
        "08003",
        "08004",
        "08006",
    ]
)
"""SQLSTATEs after which the whole transaction may be repeated (PostgreSQL manual, appendix A)."""


class Database:
    """A database of the suite, SQLite or PostgreSQL.

    Parameters:
        url: SQLAlchemy URL.
        policy: how often a write is repeated.
        zone: time zone of the organisation whose data it holds; days such as "today" are its days.
    """

    def __init__(
        self, url: str, policy: RetryPolicy | None = None, *, zone: dt.tzinfo = clock.UTC
    ) -> None:
        self.url = url
        self.zone = zone
        self.engine: Engine = make_engine(url)
        self._policy = policy or RetryPolicy()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    def today(self) -> dt.date:
        """The current day of the organisation's calendar."""
        return clock.today(self.zone)

    @contextlib.contextmanager
    def connect(self, *, write: bool = False) -> Iterator[Connection]:
        """A connection in one transaction, committed at the end; for bulk work below the ORM."""
        with _translated(), self.engine.connect() as plain:
            connection = plain.execution_options(**self._options(write=write))
            with connection.begin():
                if not write and not self.is_sqlite:
                    connection.execute(sa.text("SET TRANSACTION READ ONLY"))
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of all tables and cannot write on PostgreSQL."""
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

    def run(self, work: Callable[[Session], T]) -> T:
        """The result of `work` in a write transaction, repeated whole on transient failures.

        `work` must have no effect outside the database.
        """

        def once() -> T:
            with self.write() as session:
                return work(session)

        return self._policy.run(once, transient=_is_transient)

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _options(self, *, write: bool) -> dict[str, object]:
        if self.is_sqlite:
            return {WRITE: write}
        return {"isolation_level": "READ COMMITTED" if write else "REPEATABLE READ"}


def _is_transient(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, CoachError) else error
    if isinstance(cause, exc.TimeoutError):
        return True
    if not isinstance(cause, exc.DBAPIError):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    if state in _RETRYABLE_STATES or cause.connection_invalidated:
        return True
    return isinstance(cause, exc.OperationalError) and "locked" in str(cause.orig)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Database failures that a person can act on become errors of the catalogue."""
    try:
        yield
    except exc.TimeoutError as error:
        raise CoachError("COACH-DB-001", reason="all connections are in use") from error
    except exc.OperationalError as error:
        text = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
        if "locked" in text or getattr(error.orig, "sqlstate", None) in {"40001", "40P01", "55P03"}:
            raise CoachError("COACH-DB-002") from error
        if "no such table" in text:
            raise CoachError(
                "COACH-DB-005", found="an empty database", expected="the schema"
            ) from error
        raise CoachError("COACH-DB-001", reason=text) from error
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == "42P01":  # undefined_table
            raise CoachError(
                "COACH-DB-005", found="an empty database", expected="the schema"
            ) from error
        raise
