"""Making engines: every difference between SQLite and PostgreSQL begins in this file.

SQLite: WAL, foreign keys, a busy time-out; transactions are begun by us, since the driver begins
them too late for a consistent read of several tables and too weakly for writes (BEGIN IMMEDIATE
takes the write lock at once, so a reader never fails when it turns into a writer).
PostgreSQL: one or several servers, a bounded pool whose connections are asked whether they live
before use; time limits on both sides.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.db.fence import Fence
    from coachops.db.servers import Servers

WRITE = "coachops_write"
"""Execution option of connections that will write."""

BUSY_SECONDS = "coachops_busy_seconds"
"""Execution option: how long this write waits for the lock of SQLite."""

PING_LIMIT_SECONDS = 1.5
"""How long a pooled connection may take to show that it lives."""

_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}
_PG_OPTIONS = (
    "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c lock_timeout=5s"
)
_PG_LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}
_SEVERAL_HOSTS = re.compile(
    r"^(?P<scheme>[\w+]+://)(?P<user>[^/?]*@)?(?P<hosts>[^/?@]*,[^/?@]*)(?P<path>/[^?]*)?(?P<query>\?.*)?$"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process.

    Attributes:
        pool: connections kept open.
        overflow: further ones for moments of load.
        pool_wait: seconds to wait for a free connection.
        wait: seconds that a write waits for the database: a lock, a failover, a standby's
            confirmation.
    """

    pool: int = 5
    overflow: int = 5
    pool_wait: float = 5.0
    wait: float = 10.0


def parsed_url(url: str) -> sa.URL:
    """The URL, where it names a database of a kind we know.

    Several PostgreSQL servers are named as libpq does (`user@a:5432,b:5432/name`) or as SQLAlchemy
    does (`user@/name?host=a:5432&host=b:5432`).

    Raises:
        CoachError: COACH-SYS-001.
    """
    try:
        parsed = sa.make_url(_one_way_of_writing(url))
    except (exc.ArgumentError, ValueError):  # the message would repeat the password
        parsed = None
    if parsed is None or parsed.drivername not in _DRIVERS:
        raise CoachError(
            "COACH-SYS-001",
            name="COACHOPS_DATABASE_URL",
            reason="it must look like sqlite:///folder/file.db or "
            "postgresql://user:password@host:5432/name",
        )
    return parsed


def client_url(url: str) -> str:
    """The URL for a program with an engine of its own: it finds the primary and fails in seconds.

    Parameters:
        url: of the suite's database, several servers included.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite":
        return url
    limits = {name: str(value) for name, value in _PG_LIMITS.items()}
    query = {**limits, **dict(parsed.query), "target_session_attrs": "read-write"}
    return parsed.set(query=query).render_as_string(hide_password=False)


def _one_way_of_writing(url: str) -> str:
    """The hosts of libpq's form moved to the query, where SQLAlchemy reads them."""
    found = _SEVERAL_HOSTS.match(url) if url.startswith("postgresql") else None
    if found is None:
        return url
    hosts = "&".join(f"host={host}" for host in found["hosts"].split(","))
    query = f"{found['query']}&{hosts}" if found["query"] else f"?{hosts}"
    return f"{found['scheme']}{found['user'] or ''}{found['path'] or '/'}{query}"


def sqlite_file(engine: Engine) -> Path | None:
    """The file of an embedded database; None for PostgreSQL and for one in memory."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


def servers_of(url: sa.URL, fence: Fence) -> Servers:
    """The servers that a URL of PostgreSQL names."""
    from coachops.db.servers import Servers  # noqa: PLC0415 imports the driver

    dialect = url.get_dialect()()
    _, parameters = dialect.create_connect_args(url)
    given = {"application_name": "coachops", "options": _PG_OPTIONS, **_PG_LIMITS, **parameters}
    return Servers(given, fence)


def postgres_engine(servers: Servers, url: sa.URL, limits: Limits) -> Engine:
    """The engine whose connections go to the primary, wherever it is now."""
    engine = sa.create_engine(
        url,
        pool_size=limits.pool,
        max_overflow=limits.overflow,
        pool_timeout=limits.pool_wait,
        pool_recycle=1800,
        pool_use_lifo=True,
    )

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: Any, _args: Any, given: dict[str, Any]) -> Any:
        return servers.connect(write=True, context=given.get("context"))

    @event.listens_for(engine, "checkout")
    def _alive(connection: Any, _record: Any, _proxy: Any) -> None:
        """Ask a pooled connection whether it lives (as pool_pre_ping does, but not for ever)."""
        import psycopg  # noqa: PLC0415 the driver is of no use to SQLite

        if servers.fenced(connection.facts):
            raise exc.InvalidatePoolError("the server was replaced by a newer primary")
        try:
            with connection.limited(PING_LIMIT_SECONDS):
                connection.autocommit = True
                connection.execute(";")
                connection.autocommit = False
        except psycopg.Error as error:
            raise exc.InvalidatePoolError("the connection is gone") from error

    return engine


def any_server_engine(servers: Servers, url: sa.URL) -> Engine:
    """The engine for reading while there is no primary: any server; no connection is kept."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: Any, _args: Any, given: dict[str, Any]) -> Any:
        return servers.connect(write=False, context=given.get("context"))

    return engine


def sqlite_engine(url: sa.URL, limits: Limits) -> Engine:
    """The engine of an embedded database."""
    busy = limits.wait / 2  # two tries fit into the wait
    pool: dict[str, Any] = {}
    if url.database not in {None, "", ":memory:"}:  # a database in memory has one connection
        pool = {
            "pool_size": limits.pool,
            "max_overflow": limits.overflow,
            "pool_timeout": limits.pool_wait,
        }
    engine = sa.create_engine(
        url, connect_args={"timeout": busy, "check_same_thread": False}, **pool
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # each commit on the disk before it is acknowledged: else a power cut takes back the claim of
        # a letter that has left, and it is sent again (measured: 5 ms for a commit)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # else rows that INSERT OR REPLACE removes would leave the change feed unseen
        cursor.execute("PRAGMA recursive_triggers = ON")
        # what is deleted or hidden is overwritten, whatever this build of SQLite does by itself
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get(WRITE, False)
        if writes:
            milliseconds = int(options.get(BUSY_SECONDS, busy) * 1000)
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
