"""Rows in the binary form of PostgreSQL's COPY, decoded column by column into Arrow arrays.

A row is its number of fields in two bytes, then for each field its length in four bytes (-1 for
NULL) and its bytes, all big-endian. The rows of a batch come in one buffer. Fields of fixed
width are gathered at each row's place; a text needs no copy, since its length and its first twelve
bytes are, but for the byte order, already what Arrow calls a view, and longer texts stay where they
are in the buffer. The framing is checked throughout: number of fields, widths, end of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from coachops.export.batches import ARROW_TYPES, TEXT_KINDS, Typed, fixed_array
from coachops.export.readers.values import (
    RefusedError,
    canonical_column,
    require_in_range,
)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags and the length of an extension: what a stream begins with."""

TRAILER = b"\xff\xff"
"""What a stream ends with, in place of a row's number of fields."""

PADDING = bytes(64)
"""Stands behind the rows: a gather of a window reads beyond the last field, never beyond this."""

WIDTHS = {"uuid": 16, "integer": 4, "int64": 8, "boolean": 1, "date": 4, "instant": 8}

_INLINE = 12
_DAYS = 10_957
_MICROSECONDS = 946_684_800_000_000
"""From 1970 to 2000, where PostgreSQL begins to count."""

# masks that clear, by the length of a text, the bytes of its view that are not its own
_LENGTHS = np.arange(_INLINE + 2)
_FIRST_WORD = np.array(
    [((1 << (8 * min(int(n), 4))) - 1) << 32 for n in _LENGTHS[:-1]] + [0xFFFFFFFF << 32], "<u8"
)
_SECOND_WORD = np.array([(1 << (8 * max(int(n) - 4, 0))) - 1 for n in _LENGTHS[:-1]] + [0], "<u8")


class FramingError(ValueError):
    """What came is not rows of the columns that were asked for."""


def decode(raw: bytes, lengths: Any, columns: Sequence[Typed], schema: pa.Schema) -> pa.RecordBatch:
    """The batch of these rows.

    Parameters:
        raw: the rows as they were sent, one after another, without the stream's header and trailer,
            and `PADDING` behind them.
        lengths: bytes of each row, as numbers of 64 bits.
        schema: `arrow_schema(columns)`.

    Raises:
        FramingError: the rows are not rows of these columns.
        RefusedError: a value that no format can hold.
    """
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    if ends[-1] != len(raw) - len(PADDING):
        raise FramingError("lengths that do not add up")
    if ends[-1] >= 2**31 - len(PADDING):
        raise FramingError("more than 2 GB in one batch")
    cursor = _Cursor(raw, ends[:-1])
    cursor.require_fields(len(columns))
    arrays: list[Any] = []
    for column in columns:
        try:
            arrays.append(cursor.take(column.kind))
        except RefusedError as error:
            error.column = column.name
            raise
    cursor.require_end(ends[1:])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Cursor:
    """The place in each row, moved on column by column."""

    def __init__(self, raw: bytes, places: Any) -> None:
        self._raw = raw
        self._buffer = pa.py_buffer(raw)
        self._places = places

    def require_fields(self, count: int) -> None:
        found = self._window(2).view(">i2")[:, 0]
        if (found != count).any():
            raise FramingError(f"{int(found[found != count][0])} fields instead of {count}")
        self._places = self._places + 2

    def require_end(self, ends: Any) -> None:
        if not np.array_equal(self._places, ends):
            raise FramingError("a row ends before or after its fields")

    def take(self, kind: str) -> Any:
        """The array of the next column."""
        if kind in TEXT_KINDS:
            texts = self._texts()
            return canonical_column(texts) if kind == "json" else texts
        width = WIDTHS[kind]
        window = self._window(4 + width)
        lengths = window[:, :4].copy().view(">i4")[:, 0]
        valid = None
        if (lengths != width).any():
            valid = lengths == width
            if (lengths[~valid] != -1).any():
                wrong = lengths[~valid & (lengths != -1)][0]
                raise FramingError(f"{int(wrong)} bytes instead of {width}")
            self._places = self._places + 4 + valid * width
        else:
            self._places = self._places + (4 + width)
        values = np.ascontiguousarray(window[:, 4:])
        if valid is not None:
            values[~valid] = 0  # there stand the bytes of other fields
        return _fixed(kind, values, valid)

    def _window(self, width: int) -> Any:
        """`width` bytes from each row's place."""
        span = len(self._raw) - width + 1
        if len(self._places) and int(self._places.max()) >= span:
            raise FramingError("a row is cut off")
        windows: Any = np.ndarray((span,), f"V{width}", self._raw, strides=(1,))
        return windows[self._places].view(np.uint8).reshape(len(self._places), width)

    def _texts(self) -> Any:
        size = len(self._places)
        views = self._window(16).view("<u8").reshape(size, 2)
        lengths = views.view("<i4")[:, 0].byteswap()
        bits, nulls = None, 0
        least = int(lengths.min()) if size else 0
        if least < 0:
            if least < -1:
                raise FramingError(f"a text of {least} bytes")
            valid = lengths >= 0
            nulls = size - int(np.count_nonzero(valid))
            bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
            lengths = np.maximum(lengths, 0)
        places = self._places + 4
        self._places = places + lengths
        most = int(lengths.max()) if size else 0
        if size and int(self._places.max()) > len(self._raw) - len(PADDING):
            raise FramingError("a row is cut off")
        if size and least > _INLINE:
            words = views.view("<i4")
            words[:, 0], words[:, 2], words[:, 3] = lengths, 0, places
        elif size:
            known = np.minimum(lengths, _INLINE + 1) if most > _INLINE else lengths
            views[:, 0] = (views[:, 0] & _FIRST_WORD[known]) | lengths.astype("<u8")
            inline = views[:, 1] & _SECOND_WORD[known]
            if most > _INLINE:
                outside = places.astype("<u8") << np.uint64(32)
                inline = np.where(lengths > _INLINE, outside, inline)
            views[:, 1] = inline
        return pa.Array.from_buffers(
            pa.string_view(), size, [bits, pa.py_buffer(views), self._buffer], nulls
        )


def _fixed(kind: str, values: Any, valid: Any) -> Any:
    """The array of big-endian values of one width."""
    match kind:
        case "uuid":
            return fixed_array(ARROW_TYPES[kind], values, valid)
        case "boolean":
            flags = values[:, 0]
            if (flags > 1).any():
                raise FramingError("a boolean that is neither 0 nor 1")
            packed = np.packbits(flags, bitorder="little")
            bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
            nulls = 0 if valid is None else len(flags) - int(np.count_nonzero(valid))
            return pa.Array.from_buffers(
                pa.bool_(), len(flags), [bits, pa.py_buffer(packed)], nulls
            )
        case _:
            width = values.shape[1] if values.ndim == 2 else WIDTHS[kind]
            numbers = values.view(f">i{width}")[:, 0].astype(f"<i{width}")
    if kind == "date":
        days = numbers.astype(np.int64) + _DAYS
        require_in_range(days, valid, kind)
        numbers = days.astype("<i4")
    elif kind == "instant":
        _require_finite(numbers, valid)
        numbers += _MICROSECONDS
        require_in_range(numbers, valid, kind)
    return fixed_array(ARROW_TYPES[kind], numbers, valid)


def _require_finite(numbers: Any, valid: Any) -> None:
    """The greatest numbers stand for infinity, and would overflow when moved to 1970."""
    infinite = (numbers == np.iinfo(np.int64).max) | (numbers == np.iinfo(np.int64).min)
    if valid is not None:
        infinite &= valid
    if infinite.any():
        raise RefusedError(int(infinite.argmax()), "infinite")
