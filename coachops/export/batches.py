"""Typed batches: how rows travel from a database to files and back, as Arrow record batches.

One batch holds some rows of one dataset, in its order, one array per column. The type of an array
follows from the column's kind; nothing is ever inferred from data:

    uuid            fixed_size_binary(16), big-endian as in RFC 9562
    text, code      UTF-8: string, large_string or string_view, as the producer finds cheapest
    json            the same, each value in its canonical text
    integer, int64  int32, int64
    boolean         bool
    date            date32
    instant         timestamp[us, UTC]

There is no kind for floating point or decimal numbers: money is whole millionths of a dollar, and
numbers inside JSON are finite (NaN and infinity are refused, COACH-EXP-009).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

INSTANT = pa.timestamp("us", "UTC")

ARROW_TYPES: dict[str, pa.DataType] = {
    "uuid": pa.binary(16),
    "text": pa.string_view(),
    "code": pa.string_view(),
    "json": pa.string_view(),
    "integer": pa.int32(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": INSTANT,
}
"""Kind of a column -> the type that readers produce by preference."""

TEXT_KINDS = frozenset({"text", "code", "json"})
_TEXT_TYPES = frozenset({pa.string(), pa.large_string(), pa.string_view()})


class Typed(Protocol):
    """Name, kind and nullability of a column: `Column` of the registry or `Field` of a schema."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def kind(self) -> str:
        """Its kind."""
        ...

    @property
    def nullable(self) -> bool:
        """Whether it may be NULL."""
        ...


def arrow_schema(columns: Iterable[Typed]) -> pa.Schema:
    """The schema of batches with these columns."""
    return pa.schema(
        [
            pa.field(column.name, ARROW_TYPES[column.kind], nullable=column.nullable)
            for column in columns
        ]
    )


def require_types(batch: pa.RecordBatch, columns: Iterable[Typed]) -> None:
    """Refuse a batch whose columns are not those expected: a mistake of the producer.

    Raises:
        TypeError: names or types differ.
    """
    expected = list(columns)
    if batch.schema.names != [column.name for column in expected]:
        raise TypeError(f"columns {batch.schema.names} instead of {[c.name for c in expected]}")
    for column, found in zip(expected, batch.schema.types, strict=True):
        wanted = ARROW_TYPES[column.kind]
        if found != wanted and not (column.kind in TEXT_KINDS and found in _TEXT_TYPES):
            raise TypeError(f"column {column.name} is {found} instead of {wanted}")


def validity(array: Any) -> Any:
    """Which values are not NULL, as a numpy array of booleans.

    Read from the array's own bits: Arrow's conversion to numpy imports pandas, which takes a second
    and 60 MB in each process.
    """
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    return _bits(array, 0)


def truths(flags: Any) -> Any:
    """A boolean array as numpy; NULL counts as false."""
    if not len(flags):
        return np.zeros(0, np.bool_)
    found = _bits(flags, 1)
    return found & validity(flags) if flags.null_count else found


def texts_of(values: Sequence[str | None]) -> Any:
    """Texts as an array. Not by Arrow, which imports pandas to see whether it is given a Series.

    Returns:
        a `large_string` array.
    """
    import polars as pl  # noqa: PLC0415 a third of what a process that writes parts takes to start

    series = pl.Series(values, dtype=pl.String)
    return series.to_arrow(compat_level=pl.CompatLevel.oldest())


def fixed_array(kind: pa.DataType, values: Any, valid: Any = None) -> Any:
    """An array over a contiguous numpy buffer; `valid` tells the places that are not NULL."""
    size = len(values)
    if valid is None:
        return pa.Array.from_buffers(kind, size, [None, pa.py_buffer(values)], 0)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    nulls = size - int(np.count_nonzero(valid))
    return pa.Array.from_buffers(kind, size, [bits, pa.py_buffer(values)], nulls)


def null_of(kind: pa.DataType) -> Any:
    """NULL for a function of Arrow, which imports pandas to look at a None."""
    return pa.nulls(1, kind)[0]


def _bits(array: Any, buffer: int) -> Any:
    raw = np.frombuffer(array.buffers()[buffer], np.uint8)
    first = array.offset // 8
    last = (array.offset + len(array) + 7) // 8
    start = array.offset - 8 * first
    bits = np.unpackbits(raw[first:last], bitorder="little")
    return bits[start : start + len(array)].view(np.bool_)
