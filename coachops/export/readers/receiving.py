"""Collecting the rows that COPY sends into batches, without a call of Python code per row.

The driver calls `write` with each row. Here that is the `send` of a generator, which the
interpreter resumes without building a frame: a third of the cost of calling a method.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import repeat
from uuid import UUID

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.batches import arrow_schema
from coachops.export.readers import copy_binary
from coachops.export.readers.copy_binary import HEADER, TRAILER, FramingError
from coachops.export.readers.values import named
from coachops.export.shapes import Shape

BATCH_ROWS = 16_384
"""Rows of a batch: a quarter of a block of the digest, so that batches fall alike from every database."""

BATCH_BYTES = 32 * 1024 * 1024
"""A batch that has grown to this ends early, so that long texts do not fill the memory."""

_LOOK_EVERY = 256
"""Rows between two looks at the size of a batch."""


class Rows:
    """Takes what COPY sends in its binary form and hands on decoded batches.

    Attributes:
        write: to be called with each piece.
        ended: whether the stream came to its proper end.

    Parameters:
        hand_on: takes each batch.
    """

    def __init__(self, shape: Shape, hand_on: Callable[[pa.RecordBatch], None]) -> None:
        self._shape = shape
        self._schema = arrow_schema(shape.fields)
        self._hand_on = hand_on
        self.ended = False
        taking = self._taking()
        next(taking)
        self.write = taking.send

    def finish(self) -> None:
        """Require that everything came.

        Raises:
            CoachError: COACH-EXP-023.
        """
        if not self.ended:
            raise self._wrong("the stream stops before its end")

    def _taking(self) -> Generator[None, bytes, None]:
        first = yield
        if not first.startswith(HEADER):
            raise self._wrong("no header of COPY")
        rows = [first[len(HEADER) :]] if len(first) > len(HEADER) else []
        while not self.ended:
            size = sum(map(len, rows))
            while len(rows) < BATCH_ROWS and size < BATCH_BYTES:
                before = len(rows)
                if before and rows[-1] == TRAILER:
                    break
                add = rows.append
                for _ in repeat(None, min(_LOOK_EVERY, BATCH_ROWS - before)):
                    row = yield
                    add(row)
                    if row == TRAILER:
                        break
                size += sum(map(len, rows[before:]))
            if rows[-1] == TRAILER:
                rows.pop()
                self.ended = True
            if rows:
                self._hand_on(self._decoded(rows))
            rows = []
        yield
        raise self._wrong("something follows its end")

    def _decoded(self, rows: Sequence[bytes]) -> pa.RecordBatch:
        return decoded(self._shape, rows, self._schema)

    def _wrong(self, reason: str) -> CoachError:
        return CoachError("COACH-EXP-023", dataset=self._shape.name, reason=reason)


def decoded(shape: Shape, rows: Sequence[bytes], schema: pa.Schema) -> pa.RecordBatch:
    """The batch of rows that COPY sent.

    Raises:
        CoachError: COACH-EXP-009, COACH-EXP-023.
    """
    try:
        with named(shape.name, lambda place: _key_of(rows[place])):
            return copy_binary.decode(rows, shape.fields, schema)
    except FramingError as error:
        raise CoachError("COACH-EXP-023", dataset=shape.name, reason=str(error)) from error


def regrouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches as those that `Rows` makes, whatever their sizes were."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, BATCH_ROWS - rows)
            start += piece.num_rows
            waiting.append(piece)
            rows += piece.num_rows
            size += piece.get_total_buffer_size() if piece.num_rows == batch.num_rows else 0
            if rows == BATCH_ROWS or size >= BATCH_BYTES:
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
    if rows:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _key_of(row: bytes) -> str:
    """The id in the first field of a row."""
    return str(UUID(bytes=row[6:22]))
