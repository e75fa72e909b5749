"""Whether rows rise strictly in their dataset's order, and whether keys are there once."""

from __future__ import annotations

import tempfile
import uuid
from typing import Any

import numpy as np
import pyarrow as pa

from coachops.export.shapes import FormatError, Shape


class Order:
    """Rows of one dataset, in the order in which they are read."""

    def __init__(self, shape: Shape) -> None:
        self._places = [shape.names.index(name) for name in shape.order]
        self._last: list[Any] | None = None

    def require(self, batch: pa.RecordBatch, before: int) -> None:
        """Refuse a row that does not come after the one before it.

        Parameters:
            before: rows of the file before these.

        Raises:
            FormatError: with the row.
        """
        if not self._places:
            return  # pseudonyms have no order
        wrong = self._first_wrong(batch)
        if wrong is not None:
            raise FormatError("is out of order or there twice", before + wrong + 1)

    def _first_wrong(self, batch: pa.RecordBatch) -> int | None:
        keys = [part for place in self._places for part in _comparable(batch.column(place))]
        if self._last is not None:
            keys = [np.concatenate([last, key]) for last, key in zip(self._last, keys, strict=True)]
        greater = np.zeros(len(keys[0]) - 1, bool) if len(keys[0]) else np.zeros(0, bool)
        equal = ~greater
        for key in keys:
            greater |= equal & (key[1:] > key[:-1])
            equal &= key[1:] == key[:-1]
        wrong = np.flatnonzero(~greater)
        if len(wrong):
            return int(wrong[0]) + (1 if self._last is None else 0)
        if len(keys[0]):
            self._last = [key[-1:] for key in keys]
        return None


def _comparable(array: Any) -> list[Any]:
    """Numbers that compare as the values do.

    Raises:
        FormatError: values that no dataset of ours is ordered by, or none.
    """
    if array.null_count:
        raise FormatError("has no value in a column that orders the rows")
    if pa.types.is_fixed_size_binary(array.type):
        raw = np.frombuffer(array.buffers()[1], ">u8")[array.offset * 2 :][: len(array) * 2]
        return [raw[0::2].astype(np.uint64), raw[1::2].astype(np.uint64)]
    if not (pa.types.is_integer(array.type) or pa.types.is_temporal(array.type)):
        raise FormatError("is ordered by a column that has no order")
    numbers: Any = np.frombuffer(array.buffers()[1], f"<i{array.type.bit_width // 8}")
    return [numbers[array.offset : array.offset + len(array)]]


class Unique:
    """Keys of a dataset that is not ordered by its key: kept in a file, not in memory."""

    def __init__(self, shape: Shape) -> None:
        needed = shape.order != (shape.key,)
        self._file = tempfile.TemporaryFile() if needed else None  # noqa: SIM115 closed by `twice`
        self._key = shape.key

    def add(self, batch: pa.RecordBatch) -> None:
        """Note the keys of these rows."""
        if self._file is not None:
            array = batch.column(self._key)
            raw = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * 16 :]
            self._file.write(raw[: len(array) * 16].tobytes())

    def twice(self) -> str | None:
        """A key that is there more than once; None where there is none. Ends the work."""
        if self._file is None:
            return None
        with self._file as file:
            if not file.tell():
                return None
            file.flush()
            keys = np.memmap(file, "S16", "r+")
            keys.sort()
            same = np.flatnonzero(keys[1:] == keys[:-1])
            if not len(same):
                return None
            return str(uuid.UUID(bytes=bytes(keys[same[0]]).ljust(16, b"\0")))
