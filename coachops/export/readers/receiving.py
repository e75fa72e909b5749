"""Collecting the rows that COPY sends into batches, without a call of Python code per row.

The driver calls `write` with each row. Here that is the `send` of a generator, which the
interpreter resumes without building a frame: a third of the cost of calling a method.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from uuid import UUID

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.batches import arrow_schema
from coachops.export.readers.copy_binary import (
    HEADER,
    PADDING,
    TRAILER,
    FramingError,
    decode,
)
from coachops.export.readers.values import named
from coachops.export.shapes import Shape

BATCH_ROWS = 16_384
"""Rows of a batch: a quarter of a block of the digest, so that batches fall alike from every database."""

BATCH_BYTES = 32 * 1024 * 1024
"""A batch that has grown to this ends early, so that long texts do not fill the memory."""

_PIECE = 256
"""Rows that are joined at a time, and between two looks at the size of a batch."""


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
        rest = first[len(HEADER) :]
        self.ended = rest == TRAILER
        waiting = [rest] if rest else []
        while not self.ended:
            pieces: list[bytes] = []
            lengths = array("q")
            size = 0
            while not self.ended and len(lengths) < BATCH_ROWS and size < BATCH_BYTES:
                rows, waiting = waiting, []
                add = rows.append
                for _ in repeat(None, min(_PIECE, BATCH_ROWS - len(lengths)) - len(rows)):
                    row = yield
                    add(row)
                    if row == TRAILER:
                        break
                if rows[-1] == TRAILER:
                    rows.pop()
                    self.ended = True
                # here, while the rows are still in the processor's cache
                lengths.extend(map(len, rows))
                pieces.append(b"".join(rows))
                size += len(pieces[-1])
            if lengths:
                self._hand_on(self._decoded(pieces, lengths))
        yield
        raise self._wrong("something follows its end")

    def _decoded(self, pieces: list[bytes], lengths: array[int]) -> pa.RecordBatch:
        raw = b"".join([*pieces, PADDING])
        try:
            with named(self._shape.name, lambda place: _key_of(raw, sum(lengths[:place]))):
                return decode(raw, lengths, self._shape.fields, self._schema)
        except FramingError as error:
            raise self._wrong(str(error)) from error

    def _wrong(self, reason: str) -> CoachError:
        return CoachError("COACH-EXP-023", dataset=self._shape.name, reason=reason)


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


def _key_of(raw: bytes, start: int) -> str:
    """The id in the first field of the row that begins there."""
    return str(UUID(bytes=raw[start + 6 : start + 22]))
