"""Reading within a transaction that is open already: frames, pages of a feed, comparing files.

PostgreSQL sends COPY in its binary form here too, over the connection that is there. SQLite's rows
come through Python, so this is for what fits a page or a frame; whole exports of large files use
`sqlite`.
"""

from __future__ import annotations

import functools
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.batches import Typed, arrow_schema
from coachops.export.readers.receiving import Rows, regrouped
from coachops.export.readers.values import (
    OTHER_TYPE,
    STORED_TYPES,
    RefusedError,
    from_stored,
    named,
    require_utf8,
)
from coachops.export.shapes import Shape

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.engine import Connection

    from coachops.export.definitions import Dataset
    from coachops.export.queries import Condition

_FETCH_ROWS = 4_096


def read_batches(
    connection: Connection,
    dataset: Dataset,
    *conditions: Condition | None,
    ordered: bool = True,
) -> Iterator[pa.RecordBatch]:
    """The rows of `dataset` that meet all conditions, in its order unless that is not needed.

    Raises:
        CoachError: COACH-EXP-009, COACH-EXP-023, COACH-DB-001.
    """
    from coachops.export.queries import sql_text, typed_query  # noqa: PLC0415 imports SQLAlchemy

    sqlite = connection.dialect.name == "sqlite"
    shape = Shape.of(dataset)
    statement = typed_query(dataset, conditions, sqlite=sqlite)
    query = sql_text(statement if ordered else statement.order_by(None), sqlite=sqlite)
    raw: Any = connection.connection.driver_connection
    if sqlite:
        yield from regrouped(_from_sqlite(raw, shape, query))
    else:
        yield from _from_postgres(raw, shape, query)


def _from_postgres(
    raw: psycopg.Connection[Any], shape: Shape, query: str
) -> Iterator[pa.RecordBatch]:
    import psycopg  # noqa: PLC0415 of no use to SQLite

    from coachops.db.failures import (  # noqa: PLC0415 as above
        RETRY_AFTER_SECONDS,
        TOOK_TOO_LONG,
        first_line,
        sqlstate,
    )

    ready: deque[pa.RecordBatch] = deque()
    rows = Rows(shape, ready.append)
    text: Any = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    try:
        with raw.cursor() as cursor, cursor.copy(text) as copy:
            for piece in _pieces(raw, copy, rows):
                rows.write(bytes(piece))
                while ready:
                    yield ready.popleft()
    except psycopg.OperationalError as error:
        code = "COACH-DB-013" if sqlstate(error) == TOOK_TOO_LONG else "COACH-DB-001"
        raise CoachError(code, reason=first_line(error), retry_after=RETRY_AFTER_SECONDS) from error
    rows.finish()
    yield from ready


def _pieces(
    raw: psycopg.Connection[Any], copy: psycopg.Copy, rows: Rows
) -> Iterator[bytes | bytearray | memoryview]:
    """The rows of a COPY: those that are here already at one call each, others waited for.

    The driver prepares to wait for each row, which takes ten times as long as taking it.
    """
    from psycopg import errors, generators, pq  # noqa: PLC0415 of no use to SQLite

    while not rows.ended:
        size, piece = raw.pgconn.get_copy_data(1)
        if size < 0:  # before the end that binary COPY marks: the server says why
            for result in raw.wait(generators.fetch_many(raw.pgconn)):
                if result.status != pq.ExecStatus.COMMAND_OK:
                    raise errors.error_from_result(result)
            return
        found = piece if size else copy.read()
        if not found:
            return
        yield found
    yield from copy


def _from_sqlite(raw: sqlite3.Connection, shape: Shape, query: str) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(shape.fields)
    cursor = raw.execute(query)
    try:
        while rows := _fetched(raw, cursor):
            with named(shape.name, functools.partial(_id, rows)):
                arrays = [
                    _column(column, values)
                    for column, values in zip(shape.fields, zip(*rows, strict=True), strict=True)
                ]
            yield pa.RecordBatch.from_arrays(arrays, names=schema.names)
    finally:
        cursor.close()


def _fetched(raw: sqlite3.Connection, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    """The next rows, with texts as the bytes that are stored: decoding them is Arrow's work."""
    before = raw.text_factory
    raw.text_factory = bytes
    try:
        return cursor.fetchmany(_FETCH_ROWS)
    finally:
        raw.text_factory = before


def _column(column: Typed, values: Sequence[Any]) -> Any:
    import polars as pl  # noqa: PLC0415 processes that write parts load this module, and no polars

    whole = column.kind in STORED_TYPES
    try:
        series = pl.Series(values, dtype=pl.Int64 if whole else pl.Binary)
    except TypeError as error:  # it converts nothing
        allowed = (int if whole else bytes, NoneType)
        place = next(n for n, value in enumerate(values) if type(value) not in allowed)
        raise RefusedError(place, OTHER_TYPE, column.name) from error
    stored = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    if not whole:
        stored = stored.view(pa.large_string())
        try:
            require_utf8(stored)
        except RefusedError as error:
            error.column = column.name
            raise
    return from_stored(column, stored)


def _id(rows: Sequence[tuple[Any, ...]], place: int) -> str:
    value = rows[place][0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
