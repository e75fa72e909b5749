"""The typed content digest: equal for equal rows, whatever format, database, shard or worker.

Rows are taken in the dataset's order and cut into blocks of `BLOCK_ROWS`. In a block each column
has two SHA-256 streams: its values as bytes (fixed widths little-endian, uuid as its 16 bytes,
booleans as one byte, texts as UTF-8; nothing for a NULL text, zeros for other NULLs), and what tells
them apart (lengths in bytes as 32-bit little-endian integers with -1 for NULL, or one byte of
validity). The digest of a block is the SHA-256 over its number of rows, each column's name and
kind, and the column's two digests; that of a file or a dataset is the SHA-256 over the number of
rows and the digests of its blocks. So parts that begin at multiples of `BLOCK_ROWS` can be digested
by different workers and joined, and a difference is located to a block.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coachops.export.batches import TEXT_KINDS, Typed, texts_of, truths, validity

BLOCK_ROWS = 65_536
ALGORITHM = "coachops-blocks-1"


class BlockDigest:
    """Digests of blocks, growing by batches of any size.

    Parameters:
        columns: name and kind of each column, in file order.
    """

    def __init__(self, columns: Sequence[Typed]) -> None:
        self.rows = 0
        self._columns = [(column.name, column.kind) for column in columns]
        self._done: list[str] = []
        self._begin()

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`."""
        start = 0
        while start < batch.num_rows:
            take = min(BLOCK_ROWS - self._in_block, batch.num_rows - start)
            part = batch.slice(start, take)
            for (values, marks), (_, kind), array in zip(
                self._streams, self._columns, part.columns, strict=True
            ):
                data, apart = _bytes_of(array, kind)
                values.update(data)
                marks.update(apart)
            self._in_block += take
            self.rows += take
            start += take
            if self._in_block == BLOCK_ROWS:
                self._end()

    def blocks(self) -> list[str]:
        """The digests of the blocks so far, the last one perhaps of fewer rows."""
        return [*self._done, self._hex()] if self._in_block else list(self._done)

    def _begin(self) -> None:
        self._in_block = 0
        self._streams = [(hashlib.sha256(), hashlib.sha256()) for _ in self._columns]

    def _end(self) -> None:
        self._done.append(self._hex())
        self._begin()

    def _hex(self) -> str:
        whole = hashlib.sha256(ALGORITHM.encode() + struct.pack("<q", self._in_block))
        for (name, kind), (values, marks) in zip(self._columns, self._streams, strict=True):
            whole.update(json.dumps([name, kind], ensure_ascii=False).encode())
            whole.update(values.digest())
            whole.update(marks.digest())
        return whole.hexdigest()


def joined(rows: int, blocks: Iterable[str]) -> str:
    """The digest of a file or dataset: 64 hex digits.

    Parameters:
        rows: how many in all.
        blocks: the digests of all its blocks, in order.
    """
    whole = hashlib.sha256(ALGORITHM.encode() + struct.pack("<q", rows))
    for block in blocks:
        whole.update(bytes.fromhex(block))
    return whole.hexdigest()


def _bytes_of(array: Any, kind: str) -> tuple[Any, Any]:
    """The bytes of the values, and the bytes that tell them apart."""
    if kind in TEXT_KINDS:
        return _text_bytes(array)
    size = len(array)
    if kind == "boolean":
        fixed = truths(array).view(np.uint8)
    else:
        width = 16 if kind == "uuid" else array.type.bit_width // 8
        whole = np.frombuffer(array.buffers()[1], np.uint8)
        fixed = whole[array.offset * width : (array.offset + size) * width]
        if array.null_count:
            fixed = fixed.reshape(size, width).copy()
            fixed[~validity(array)] = 0
    if not array.null_count:
        return np.ascontiguousarray(fixed), np.ones(size, np.uint8)
    return np.ascontiguousarray(fixed), validity(array).view(np.uint8)


def _text_bytes(array: Any) -> tuple[Any, Any]:
    dense = array if array.type == pa.large_string() else pc.cast(array, pa.large_string())
    size = len(dense)
    _, offsets, data = dense.buffers()
    ends = np.frombuffer(offsets, np.int64)[dense.offset : dense.offset + size + 1]
    lengths = np.diff(ends).astype("<i4")
    if not dense.null_count:
        return _span(data, int(ends[0]), int(ends[-1])), lengths
    valid = validity(dense)
    if lengths[~valid].any():  # bytes under a NULL are nobody's
        return _text_bytes(texts_of(dense.to_pylist()))
    lengths[~valid] = -1
    return _span(data, int(ends[0]), int(ends[-1])), lengths


def _span(data: Any, start: int, end: int) -> Any:
    return memoryview(data)[start:end] if end > start else b""
