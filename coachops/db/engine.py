"""Making engines: every difference between SQLite and PostgreSQL stands in this file.

SQLite: WAL, foreign keys, a busy time-out; transactions are begun by us, since the driver begins
them too late for a consistent read of several tables and too weakly for writes (BEGIN IMMEDIATE
takes the write lock at once, so a reader never fails when it turns into a writer).
PostgreSQL: bounded pool with pre-ping; server-side time limits.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from coachops.core.errors import CoachError

WRITE = "coachops_write"
"""Execution option of connections that will write."""

BUSY_TIMEOUT_MS = 5_000
_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}
_PG_OPTIONS = (
    "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c lock_timeout=10s"
)


def make_engine(url: str) -> Engine:
    """An engine for `url` (sqlite:///… or postgresql+psycopg://…) with the suite's settings.

    Raises:
        CoachError: COACH-SYS-001 for another kind of database, or a URL that is none.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return sa.create_engine(
        parsed,
        pool_size=5,
        max_overflow=5,
        pool_timeout=5,
        pool_recycle=1800,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "application_name": "coachops",
            "options": _PG_OPTIONS,
        },
    )


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # the message would repeat the password
        parsed = None
    if parsed is None or parsed.drivername not in _DRIVERS:
        raise CoachError(
            "COACH-SYS-001",
            name="COACHOPS_DATABASE_URL",
            reason="it must look like sqlite:///folder/file.db or "
            "postgresql://user:password@host:5432/name",
        )
    return parsed


def sqlite_file(engine: Engine) -> Path | None:
    """The file of an embedded database; None for PostgreSQL and for one in memory."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


def _sqlite(url: sa.URL) -> Engine:
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
