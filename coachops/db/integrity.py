"""Looking for damage: broken pages and indexes of SQLite, failed checksums and amcheck of PostgreSQL.

SQLite keeps no checksums: a changed letter inside a text passes every check of its own. That is what
the digests of the backups are for.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.engine import sqlite_file
from coachops.db.failures import first_line

if TYPE_CHECKING:
    from coachops.db.transaction import Database

SHOWN = 10
"""How many problems are listed: one is enough to act."""

QUICK_SECONDS = 10.0
"""How long the look at a start may take: for half a gigabyte of SQLite it is complete."""

_FULL_CHECK_LIMIT = "30min"
_TABLES = sa.text(
    "SELECT c.oid, c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
    "AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 2"
)
_INDEXES = sa.text(
    "SELECT c.oid, c.oid::regclass::text FROM pg_class c JOIN pg_am a ON a.oid = c.relam "
    "JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE a.amname = 'btree' AND c.relpersistence <> 't' AND i.indisready AND i.indisvalid "
    "AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 2"
)
_CHECKSUMS = sa.text(
    "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"
)


def problems(database: Database, *, full: bool) -> list[str]:
    """What is damaged; empty where nothing was found.

    Raises:
        CoachError: COACH-DB-001 where the database cannot be asked at all.
    """
    try:
        with database.connect() as connection:
            if database.is_sqlite:
                return _sqlite(connection, full=full)
            return _postgres(connection, full=full)
    except CoachError as error:
        if error.code == "COACH-DB-008":
            return [str(error.details.get("reason"))]
        raise


def _sqlite(connection: Connection, *, full: bool) -> list[str]:
    file = sqlite_file(connection.engine)
    if file is not None and not file.stat().st_size:
        return []  # not set up yet
    if full:
        rows = list(connection.exec_driver_sql(f"PRAGMA integrity_check({SHOWN})").scalars())
    else:
        rows = _quick_look(connection)
    found = [str(row).splitlines()[0] for row in rows if row != "ok"]
    if full and not found:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(SHOWN)
        found = [f"a row of {row[0]} belongs to a missing row of {row[2]}" for row in broken]
    return found


def _quick_look(connection: Connection) -> list[str]:
    """The structure (20 ms for each MB), as far as it comes in the time that a start may take."""
    raw: Any = connection.connection.driver_connection
    ends = clock.monotonic() + QUICK_SECONDS
    raw.set_progress_handler(lambda: clock.monotonic() > ends, 10_000)
    try:
        return list(connection.exec_driver_sql(f"PRAGMA quick_check({SHOWN})").scalars())
    except exc.OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return []  # the daily check looks at the rest
        raise
    finally:
        raw.set_progress_handler(None, 0)


def _postgres(connection: Connection, *, full: bool) -> list[str]:
    failures = connection.scalar(_CHECKSUMS) or 0
    found = [f"{failures} pages had a wrong checksum when they were read"] if failures else []
    if not full:
        return found
    connection.execute(sa.text(f"SET LOCAL statement_timeout = '{_FULL_CHECK_LIMIT}'"))
    if has_amcheck(connection):
        return (found + _amcheck(connection))[:SHOWN]
    return (found + _read_all(connection))[:SHOWN]


def has_amcheck(connection: Connection) -> bool:
    """Whether the extension is there and this user may call it."""
    query = (
        "SELECT coalesce(bool_and(has_function_privilege(p.oid, 'EXECUTE')), false) FROM pg_proc p "
        "WHERE p.proname IN ('bt_index_check', 'verify_heapam')"
    )
    return bool(connection.scalar(sa.text(query)))


def _amcheck(connection: Connection) -> list[str]:
    """Every table and every B-tree index, as pg_amcheck does."""
    found = []
    heap = sa.text("SELECT blkno, msg FROM verify_heapam(CAST(:oid AS regclass)) LIMIT :shown")
    for oid, name in connection.execute(_TABLES).all():
        rows = _tried(connection, heap, oid, name)
        found += rows if isinstance(rows, list) else [rows]
    index = sa.text("SELECT bt_index_check(CAST(:oid AS regclass)) WHERE :shown > 0")
    for oid, name in connection.execute(_INDEXES).all():
        rows = _tried(connection, index, oid, name)
        found += [] if isinstance(rows, list) else [rows]
    return found


def _tried(connection: Connection, query: sa.TextClause, oid: int, name: str) -> list[str] | str:
    """The rows of one check in words, or the error by which the check ended."""
    try:
        with connection.begin_nested():
            rows = connection.execute(query, {"oid": oid, "shown": SHOWN}).all()
            return [f"{name}, block {row[0]}: {row[1]}" for row in rows if len(row) > 1]
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return f"{name}: {first_line(error.orig)}"


def _read_all(connection: Connection) -> list[str]:
    """Without amcheck: read every page, so that every checksum is compared."""
    found = []
    for _, name in connection.execute(_TABLES).all():
        try:
            with connection.begin_nested():
                connection.execute(sa.text(f"SELECT count(*) FROM {name}"))  # noqa: S608 quoted by regclass
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            found.append(f"{name}: {first_line(error.orig)}")
    return found
