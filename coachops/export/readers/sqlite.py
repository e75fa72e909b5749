"""Bulk reading of an SQLite file into typed batches, by a second SQLite library.

ADBC's driver fills Arrow arrays without touching Python objects, but it brings an SQLite library of
its own. Two of them in one process must never open the same file: POSIX drops all locks of a process
on a file when any of its descriptors is closed, so one library would unlock the other's database.
Hence this module works only in a process that has sworn (`forbid_python_sqlite`) never to open a
database with Python's `sqlite3`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_sqlite
import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.batches import Typed, arrow_schema
from coachops.export.readers.receiving import regrouped
from coachops.export.readers.values import (
    OTHER_TYPE,
    STORED_TYPES,
    RefusedError,
    from_stored,
    named,
    require_utf8,
)
from coachops.export.shapes import Shape

_BATCH_ROWS = 8_192

_alone = False


def forbid_python_sqlite() -> None:
    """From now on this process cannot open a database with Python's `sqlite3`."""
    global _alone  # noqa: PLW0603 an oath of the process

    def refuse(event: str, _arguments: Any) -> None:
        if event == "sqlite3.connect":
            raise RuntimeError("this process reads SQLite through another library")

    sys.addaudithook(refuse)
    _alone = True


class SqliteFile:
    """A file that is read at one moment.

    Parameters:
        path: of the file, which is opened for reading only.

    Raises:
        RuntimeError: the process has not sworn to use no other SQLite library.
    """

    def __init__(self, path: Path) -> None:
        if not _alone:
            raise RuntimeError("forbid_python_sqlite() must be called in a process of its own")
        self._database = adbc_driver_manager.AdbcDatabase(
            driver=adbc_driver_sqlite._driver_path(),  # noqa: SLF001 its dbapi imports pandas
            uri=f"file:{quote(str(path))}?mode=ro",
        )
        self._connection = adbc_driver_manager.AdbcConnection(self._database)

    def begin(self) -> None:
        """Fix the moment that everything is read at."""
        self._connection.set_autocommit(False)
        for _ in self._stream("SELECT count(*) FROM sqlite_master"):
            pass

    def read(self, shape: Shape, query: str) -> Iterator[pa.RecordBatch]:
        """The rows of `query` in batches.

        Raises:
            CoachError: COACH-EXP-009, COACH-EXP-023.
        """
        return regrouped(self._typed(shape, query))

    def _typed(self, shape: Shape, query: str) -> Iterator[pa.RecordBatch]:
        names = arrow_schema(shape.fields).names
        first = True
        try:
            for raw in self._stream(_with_types(shape, query)):
                batch = raw.slice(1) if first else raw
                first = False
                with named(shape.name, functools.partial(_id, batch)):
                    columns = zip(shape.fields, batch.columns, strict=True)
                    arrays = [_column(column, found) for column, found in columns]
                yield pa.RecordBatch.from_arrays(arrays, names=names)
        except (_TypesError, OSError) as error:
            self._blame(shape, query)
            reason = str(error) or "its columns have other types"
            raise CoachError("COACH-EXP-023", dataset=shape.name, reason=reason) from error

    def _blame(self, shape: Shape, query: str) -> None:
        """Raise COACH-EXP-009 with the first value of another type than its column, if any."""
        for column in shape.fields:
            kind = "'integer'" if column.kind in STORED_TYPES else "'text', 'blob'"
            asked = (
                f'SELECT "{shape.key}" FROM ({query}) '  # noqa: S608 our own query
                f"WHERE typeof(\"{column.name}\") NOT IN ({kind}, 'null') LIMIT 1"
            )
            for batch in self._stream(asked):
                for key in batch.column(0).to_pylist():
                    raise CoachError(
                        "COACH-EXP-009",
                        dataset=shape.name, column=column.name, key=key, reason=OTHER_TYPE,
                    )  # fmt: skip

    def _stream(self, query: str) -> Iterator[pa.RecordBatch]:
        with adbc_driver_manager.AdbcStatement(self._connection) as statement:
            statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})
            statement.set_sql_query(query)
            handle, _ = statement.execute_query()
            with pa.RecordBatchReader._import_from_c(handle.address) as reader:  # noqa: SLF001 the interface between libraries
                yield from reader


class _TypesError(Exception):
    """A first batch with other types than the registry's."""


def _column(column: Typed, found: Any) -> Any:
    """The column as its kind demands, out of what the driver made of it."""
    if column.kind in STORED_TYPES:
        if found.type != STORED_TYPES[column.kind]:
            raise _TypesError
        return from_stored(column, found)
    if found.type not in {pa.string(), pa.binary()}:
        raise _TypesError
    text = found.view(pa.string())
    try:
        require_utf8(text)
    except RefusedError as error:
        error.column = column.name
        raise
    return from_stored(column, text)


def _id(batch: pa.RecordBatch, place: int) -> str:
    return str(batch.column(0)[place].as_py())


def _with_types(shape: Shape, query: str) -> str:
    """A row of known types before the others: the driver takes types from what comes first."""
    values = ", ".join("0" if column.kind in STORED_TYPES else "''" for column in shape.fields)
    return f"SELECT {values} UNION ALL SELECT * FROM ({query})"  # noqa: S608 our own query
