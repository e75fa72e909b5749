"""Writing many rows fast: executemany on SQLite, COPY on PostgreSQL.

Rows are given in wire form, which both databases read: ids as 32 hex digits, instants and dates as
ISO text, JSON as text. The caller's transaction decides whether they stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import clock


def insert_rows(
    connection: Connection,
    table: sa.FromClause,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Insert `rows` (values in the order of `columns`) into `table`."""
    name = connection.dialect.identifier_preparer.quote(str(table.name))  # type: ignore[attr-defined]
    listed = ", ".join(connection.dialect.identifier_preparer.quote(c) for c in columns)
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the connection is closed")
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        raw.executemany(f"INSERT INTO {name} ({listed}) VALUES ({marks})", rows)  # noqa: S608 names of our own schema
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY {name} ({listed}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def instant(value: dt.datetime) -> str:
    """The wire form of an instant: UTC, microseconds, Z."""
    return value.astimezone(clock.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
