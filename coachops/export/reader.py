"""Reading a dataset as chunks of columns of canonical text, in constant memory.

PostgreSQL writes canonical texts itself (casts in the query, read through a server-side cursor).
SQLite already stores most of them; ids get their hyphens here. JSON is made canonical here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.export.definitions import Column, Dataset

Columns = list[list[str | None]]
"""One list of canonical texts per column, all of one length."""

CHUNK_ROWS = 4_000


def read(
    connection: Connection,
    dataset: Dataset,
    condition: sa.ColumnElement[bool] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Columns]:
    """Chunks of at most `chunk_rows` rows of `dataset`, in its order, within the transaction."""
    sqlite = connection.dialect.name == "sqlite"
    finish = [_finisher(column, sqlite=sqlite) for column in dataset.columns]
    streaming = connection.execution_options(stream_results=True, yield_per=chunk_rows)
    result = streaming.execute(query(dataset, condition, sqlite=sqlite))
    try:
        for rows in result.partitions(chunk_rows):
            columns = zip(*rows, strict=True)
            yield [f(values) for f, values in zip(finish, columns, strict=True)]
    finally:
        result.close()


def query(
    dataset: Dataset, condition: sa.ColumnElement[bool] | None, *, sqlite: bool
) -> sa.Select[Any]:
    """The SELECT of `dataset`, each column as nearly canonical as the database can give it."""
    wire = _sqlite_wire if sqlite else _postgres_wire
    statement = sa.select(*(wire(column).label(column.name) for column in dataset.columns))
    statement = statement.select_from(dataset.table if dataset.source is None else dataset.source)
    if dataset.where is not None:
        statement = statement.where(dataset.where)
    if condition is not None:
        statement = statement.where(condition)
    return statement.order_by(*(dataset.column(name).source for name in dataset.sort))


def canonical_json(value: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, nothing escaped that need not be."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _sqlite_wire(column: Column) -> sa.ColumnElement[Any]:
    """The stored value as it is, past the type's own conversion."""
    return sa.type_coerce(column.source, sa.types.NullType())


def _postgres_wire(column: Column) -> sa.ColumnElement[Any]:
    if column.kind == "instant":
        return sa.func.to_char(
            sa.func.timezone("UTC", column.source), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        )
    return sa.cast(column.source, sa.Text())


def _finisher(column: Column, *, sqlite: bool) -> Callable[[Sequence[Any]], list[str | None]]:
    if column.kind == "json":
        return lambda values: [None if v is None else _json_or_null(v) for v in values]
    if not sqlite:
        return list
    match column.kind:
        case "uuid":
            return lambda values: [
                None if v is None else f"{v[:8]}-{v[8:12]}-{v[12:16]}-{v[16:20]}-{v[20:]}"
                for v in values
            ]
        case "integer" | "int64":
            return lambda values: [None if v is None else str(v) for v in values]
        case "boolean":
            return lambda values: [None if v is None else "true" if v else "false" for v in values]
        case _:
            return list


def _json_or_null(text: str) -> str | None:
    return None if text == "null" else canonical_json(json.loads(text))
