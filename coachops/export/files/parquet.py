"""Reading Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from coachops.export.batches import TEXT_KINDS
from coachops.export.files.values import typed_batch
from coachops.export.shapes import FormatError, Shape
from coachops.export.writers.parquet import parquet_schema

BATCH_ROWS = 16_384


def read_parquet(path: Path, shape: Shape) -> Iterator[pa.RecordBatch]:
    """The rows of a file.

    Raises:
        FormatError: with the row that is wrong.
    """
    done = 0
    try:
        with pq.ParquetFile(path) as file:
            _require_schema(file, shape)
            for batch in file.iter_batches(BATCH_ROWS):
                columns = [
                    _storage(array, field.kind)
                    for array, field in zip(batch.columns, shape.fields, strict=True)
                ]
                made = typed_batch(columns, shape, done)
                done += made.num_rows
                yield made
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FormatError(f"cannot be read as Parquet ({error})", done + 1) from None


def _require_schema(file: pq.ParquetFile, shape: Shape) -> None:
    found, wanted = file.schema_arrow, parquet_schema(shape)
    if found.names != wanted.names:
        raise FormatError("has not the columns of the schema")
    for field, type_, expected in zip(shape.fields, found.types, wanted.types, strict=True):
        if field.kind in TEXT_KINDS:
            same = _plain(type_) in {pa.string(), pa.large_string(), pa.string_view()}
        else:
            same = _plain(type_) == _plain(expected)
        if not same:
            raise FormatError(f"column {field.name} is {type_} instead of {field.kind}")


def _plain(type_: pa.DataType) -> pa.DataType:
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def _storage(array: Any, kind: str) -> Any:
    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    if kind in TEXT_KINDS:
        plain.validate(full=True)  # the format does not promise UTF-8
    return plain
