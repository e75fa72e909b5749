"""A new SQLite file as the target of a restore: it gets its name when it is whole."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.export.batches import texts_of
from coachops.export.disk import sync
from coachops.export.files.values import typed_batch
from coachops.export.restoring.tables import create_sqlite, numbered, order_by, quoted
from coachops.export.shapes import Shape
from coachops.export.writers.texts import frame_of

_BATCH_ROWS = 16_384


@contextlib.contextmanager
def sqlite_target(path: Path) -> Iterator[SqliteTarget]:
    """The target; nothing is left of it unless the block succeeds.

    Raises:
        CoachError: COACH-EXP-012 where the file holds tables, COACH-EXP-018 where it cannot be
            written.
    """
    url = f"sqlite:///{path}"
    _require_empty(path, url)
    draft = path.with_name(f".{path.name}.{ids.new_id().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            yield SqliteTarget(connection)
            connection.execute("COMMIT")
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    except sqlite3.IntegrityError as error:
        raise CoachError("COACH-EXP-013", reason=str(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise CoachError("COACH-EXP-018", url=url, reason=_reason(error)) from error
    finally:
        for left in (draft, draft.with_name(f"{draft.name}-journal")):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


class SqliteTarget:
    """Tables in an open transaction of a new file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def create(self, shapes: list[Shape]) -> None:
        """Make the tables."""
        keys = {shape.name: shape.key for shape in shapes}
        for shape in shapes:
            self._connection.execute(create_sqlite(shape, keys))

    def load(self, shape: Shape, batches: Iterator[pa.RecordBatch]) -> None:
        """Fill one table."""
        places = ", ".join("?" * (len(shape.fields) + numbered(shape)))
        insert = f"INSERT INTO {quoted(shape.name)} VALUES ({places})"  # noqa: S608 quoted
        done = 0
        for batch in batches:
            frame = frame_of(batch, shape)
            numbers = {field.name for field in shape.fields if field.kind == "int64"}
            columns = [
                batch.column(name).to_pylist() if name in numbers else frame[name].to_list()
                for name in shape.names
            ]
            first, done = done + 1, done + batch.num_rows
            if numbered(shape):
                columns.append(range(first, done + 1))
            self._connection.executemany(insert, zip(*columns, strict=True))

    def close_up(self, shapes: list[Shape]) -> None:
        """Have SQLite check every foreign key once more.

        Raises:
            CoachError: COACH-EXP-013 where one names nothing.
        """
        bad = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        if bad is not None:
            raise CoachError("COACH-EXP-013", reason=f"a row of {bad[0]} has no {bad[2]}")
        for shape in shapes:
            self._connection.execute(f"ANALYZE {quoted(shape.name)}")

    def read(self, shape: Shape) -> Iterator[pa.RecordBatch]:
        """The rows as the file holds them."""
        names = ", ".join(map(quoted, shape.names))
        cursor = self._connection.execute(
            f"SELECT {names} FROM {quoted(shape.name)} ORDER BY {order_by(shape)}"  # noqa: S608
        )
        done = 0
        while rows := cursor.fetchmany(_BATCH_ROWS):
            columns = [
                _array(values, field.kind)
                for field, values in zip(shape.fields, zip(*rows, strict=True), strict=True)
            ]
            yield typed_batch(columns, shape, done)
            done += len(rows)


def _array(values: Any, kind: str) -> Any:
    match kind:
        case "integer":
            return pl.Series(values, dtype=pl.Int32).to_arrow()
        case "int64":
            return pl.Series(values, dtype=pl.Int64).to_arrow()
        case "boolean":
            return pl.Series(values, dtype=pl.Int8).cast(pl.Boolean).to_arrow()
        case _:
            return texts_of(values)


def _require_empty(path: Path, url: str) -> None:
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        raise CoachError("COACH-EXP-018", url=url, reason=_reason(error)) from error
    if tables:
        raise CoachError("COACH-EXP-012", url=url)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
