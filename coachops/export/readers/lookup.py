"""Reading a part whose rows show something of their parent, which is looked up once for each parent.

A join would make the database send the same words with every row, and the reader take them apart
each time. The rows come parent by parent, so a column is made out of as many runs as a batch has
parents.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from coachops.export.orders import Lookup, Order
from coachops.export.shapes import Shape

Read = Callable[[Shape, str], Iterator[pa.RecordBatch]]
"""Reads the rows of a query in batches of that shape."""

_KEY = 16
"""Bytes of an id."""


def read_part(order: Order, read: Read) -> Generator[pa.RecordBatch, None, None]:
    """The rows of the part in batches of `order.shape`, its query read by `read`.

    Raises:
        CoachError: what `read` raises.
    """
    with contextlib.ExitStack() as undo:

        def closing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            if isinstance(batches, Generator):
                undo.callback(batches.close)
            return batches

        shape, lookup = order.shape, order.lookup
        if lookup is None:
            yield from closing(read(shape, order.query))
            return
        parents = _Parents(shape, lookup)
        shown = replace(shape.only([lookup.by, lookup.column]), name=lookup.parent)
        parents.learn(closing(read(shown, lookup.query)))
        rest = shape.only([name for name in shape.names if name != lookup.column])
        for batch in closing(read(rest, order.query)):
            yield parents.put_into(batch)


class _Parents:
    """The column's value for each parent."""

    def __init__(self, shape: Shape, lookup: Lookup) -> None:
        self._fields, self._lookup = shape.fields, lookup
        self._places: dict[bytes, int] = {}
        self._views: Any = np.zeros(0, "V16")
        self._words: list[Any] = []

    def learn(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Take key and value of each parent."""
        values = []
        for batch in batches:
            for key in _raw_ids(batch.column(0)):
                self._places[key.tobytes()] = len(self._places)
            values.append(batch.column(1).cast(pa.string_view()))
        if values:  # no lists: Arrow imports pandas to turn one into an array
            _, views, *self._words = pa.concat_arrays(values).buffers()
            self._views = np.frombuffer(views, "V16")[: len(self._places)]

    def put_into(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the column; rows without a parent are left out, as a join would do."""
        found = dict(zip(batch.schema.names, batch.columns, strict=True))
        places = self._places_of(found[self._lookup.by])
        if len(places) and places.min() < 0:
            return self.put_into(_only(batch, places >= 0))
        views = self._views[places].tobytes()
        found[self._lookup.column] = pa.Array.from_buffers(
            pa.string_view(), len(places), [None, pa.py_buffer(views), *self._words], 0
        )
        arrays = [found[field.name] for field in self._fields]
        return pa.RecordBatch.from_arrays(arrays, names=[field.name for field in self._fields])

    def _places_of(self, keys: Any) -> Any:
        """For each row the place of its parent's value, -1 where there is none."""
        raw = _raw_ids(keys)
        halves = raw.view("<u8").reshape(-1, 2)
        changes = np.flatnonzero((halves[1:] != halves[:-1]).any(axis=1)) + 1
        firsts = np.concatenate((np.zeros(min(1, len(keys)), np.int64), changes))
        places = [self._places.get(raw[first].tobytes(), -1) for first in firsts]
        return np.repeat(np.array(places, np.int64), np.diff(firsts, append=len(keys)))


def _only(batch: pa.RecordBatch, wanted: Any) -> pa.RecordBatch:
    """Some rows of the batch, by pieces: Arrow has no filter for views of texts."""
    ends = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    pieces = [batch.slice(a, b - a) for a, b in zip(ends[::2], ends[1::2], strict=True)]
    return pa.concat_batches(pieces) if pieces else batch.slice(0, 0)


def _raw_ids(array: Any) -> Any:
    """The ids of an array as numpy, 16 bytes each."""
    raw = np.frombuffer(array.buffers()[1], f"V{_KEY}")
    return raw[array.offset : array.offset + len(array)]
