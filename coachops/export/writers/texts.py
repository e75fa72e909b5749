"""Typed columns as columns of text, a whole batch at a time.

uuid becomes 36 lower-case characters, an instant `2026-11-23T09:30:00.000000Z`, a day `2026-11-23`,
a 64-bit integer its digits; 32-bit integers and booleans stay what they are, for both text formats
write them plainly.
"""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from coachops.export.batches import INSTANT, TEXT_KINDS, fixed_array, null_of
from coachops.export.shapes import Shape

_GROUPS = ("a", "b", "c", "d", "e")
"""The hex digits of a uuid between its hyphens, …"""
_WIDTHS = ["V8", "V4", "V4", "V4", "V12"]
_PLAIN, _HYPHENED = (
    np.dtype({"names": _GROUPS, "formats": _WIDTHS, "offsets": offsets, "itemsize": size})
    for offsets, size in (([0, 8, 12, 16, 20], 32), ([0, 9, 14, 19, 24], 36))
)
"""… and where they stand without and with these."""
_EPOCH = fixed_array(pa.int64(), np.zeros(1, np.int64)).view(INSTANT)[0]
_DAY_END = 10
"""Where an instant's text has its T."""


def frame_of(batch: pa.RecordBatch, shape: Shape) -> pl.DataFrame:
    """The batch as a frame of strings, 32-bit integers and booleans."""
    columns = [
        _text_of(array, field.kind)
        for array, field in zip(batch.columns, shape.fields, strict=True)
    ]
    frame = pl.from_arrow(pa.RecordBatch.from_arrays(columns, shape.names))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a batch became something else than a frame")
    return frame


def uuid_texts(array: Any) -> pa.Array:
    """36 characters for each id."""
    rows = len(array)
    raw: Any = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * 16 :][: rows * 16]
    digits = np.frombuffer(binascii.hexlify(raw), _PLAIN)
    made = np.full((rows, 36), ord("-"), np.uint8)
    hyphened = made.reshape(-1).view(_HYPHENED)
    for group in _GROUPS:
        hyphened[group] = digits[group]
    return _with_nulls(_fixed_texts(made), array)


def instant_texts(array: Any) -> pa.Array:
    """27 characters for each moment: Arrow's own text, with a T where it has a space."""
    texts = pc.cast(pc.fill_null(array, _EPOCH), pa.large_string())
    rows = len(texts)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + rows + 1]
    if not rows:
        return texts
    if (np.diff(ends) != 27).any():
        raise ValueError("a moment outside the years 1 to 9999")
    made = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(rows, 27).copy()
    made[:, _DAY_END] = ord("T")
    return _with_nulls(_fixed_texts(made), array)


def _text_of(array: Any, kind: str) -> Any:
    if kind in TEXT_KINDS:
        return array
    match kind:
        case "uuid":
            return uuid_texts(array)
        case "instant":
            return instant_texts(array)
        case "date" | "int64":
            return pc.cast(array, pa.large_string())
        case _:
            return array


def _fixed_texts(matrix: Any) -> pa.Array:
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    return pa.Array.from_buffers(
        pa.large_string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(matrix)]
    )


def _with_nulls(texts: pa.Array, like: Any) -> pa.Array:
    return pc.if_else(pc.is_valid(like), texts, null_of(texts.type)) if like.null_count else texts
