"""An empty PostgreSQL database as the target of a restore: one transaction, or nothing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from coachops.core.errors import CoachError
from coachops.core.settings import mask_password
from coachops.export.files.csv import read_csv
from coachops.export.restoring.tables import (
    create_postgres,
    foreign_keys_postgres,
    keys_postgres,
    order_by,
    quoted,
)
from coachops.export.shapes import Field, Shape
from coachops.export.writers.dialect import header
from coachops.export.writers.texts import frame_of

_TABLES = """
    SELECT count(*) FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""


@contextlib.contextmanager
def postgres_target(url: str) -> Iterator[PostgresTarget]:
    """The target; the transaction is committed when the block succeeds.

    Raises:
        CoachError: COACH-EXP-012 where the schema holds tables, COACH-EXP-018 where the server
            cannot be reached or refuses.
    """
    shown = mask_password(url)
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            for setting in ("TIME ZONE 'UTC'", "datestyle = 'ISO'", "statement_timeout = 0"):
                connection.execute(f"SET LOCAL {setting}")
            found = connection.execute(_TABLES).fetchone()
            if found is None or found[0]:
                raise CoachError("COACH-EXP-012", url=shown)
            yield PostgresTarget(connection)
    except psycopg.IntegrityError as error:
        raise CoachError("COACH-EXP-013", reason=_reason(error)) from error
    except psycopg.Error as error:
        raise CoachError("COACH-EXP-018", url=shown, reason=_reason(error)) from error


class PostgresTarget:
    """Tables in an open transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def create(self, shapes: list[Shape]) -> None:
        """Make the tables."""
        for shape in shapes:
            self._run(create_postgres(shape))

    def load(self, shape: Shape, batches: Iterator[pa.RecordBatch]) -> None:
        """Fill one table by COPY: NULL is nothing, the empty text is two quotes."""
        copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
            sql.Identifier(shape.name), sql.SQL(", ").join(map(sql.Identifier, shape.names))
        )
        with self._connection.cursor() as cursor, cursor.copy(copy) as receiver:
            for batch in batches:
                buffer = io.BytesIO()
                frame_of(batch, shape).write_csv(
                    buffer, include_header=False, null_value="", quote_style="necessary"
                )
                receiver.write(buffer.getvalue())

    def close_up(self, shapes: list[Shape]) -> None:
        """Add every key, which checks them."""
        keys = {shape.name: shape.key for shape in shapes}
        for shape in shapes:
            self._run(keys_postgres(shape))
        for shape in shapes:
            statement = foreign_keys_postgres(shape, keys)
            if statement is not None:
                self._run(statement)

    def read(self, shape: Shape) -> Iterator[pa.RecordBatch]:
        """The rows as the database holds them."""
        columns = ", ".join(_text(field) for field in shape.fields)
        query = f"SELECT {columns} FROM {quoted(shape.name)} ORDER BY {order_by(shape)}"  # noqa: S608 quoted
        return read_csv(self._bytes(query, shape), shape, excel=False)

    def _bytes(self, query: str, shape: Shape) -> Iterator[bytes]:
        yield header(shape.names, excel=False)
        copy = rf"COPY ({query}) TO STDOUT (FORMAT csv, NULL '\N')"
        with self._connection.cursor() as cursor, cursor.copy(copy) as sender:
            for piece in sender:
                yield bytes(piece)

    def _run(self, statement: str) -> None:
        self._connection.execute(statement)


def _text(field: Field) -> str:
    """The canonical text of a column, with the escape of the lossless profile."""
    name = quoted(field.name)
    match field.kind:
        case "instant":
            return f"""to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        case "boolean" | "uuid" | "date" | "integer" | "int64":
            return f"{name}::text"
        case "json":
            return f"{name}::text"
        case _:
            return rf"""CASE WHEN {name} ~ E'^\\\\+N$' THEN E'\\' || {name} ELSE {name} END"""


def _reason(error: psycopg.Error) -> str:
    return str(error.diag.message_primary or error).strip().splitlines()[0]
