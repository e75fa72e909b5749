"""The typed content digest of a dataset: equal for equal rows, whatever format or database.

Rows are taken in the dataset's order. Each column has two SHA-256 streams: the canonical texts
joined without separators, and their lengths in code points as little-endian 64-bit integers, -1
for NULL; the lengths make the joined text unambiguous and tell NULL from the empty text. The digest
is the SHA-256 of a canonical JSON document with the number of rows and, per column, name, kind and
the two column digests. It does not depend on how rows were cut into chunks or shards.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Sequence

from coachops.export.reader import Columns, canonical_json


class Digest:
    """A digest that grows by chunks.

    Parameters:
        columns: name and kind of each column, in file order.
    """

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self.rows = 0
        self._columns = list(columns)
        self._texts = [hashlib.sha256() for _ in columns]
        self._lengths = [hashlib.sha256() for _ in columns]

    def update(self, chunk: Columns) -> None:
        """Add the rows of `chunk`."""
        self.rows += len(chunk[0])
        for values, texts, lengths in zip(chunk, self._texts, self._lengths, strict=True):
            if None in values:
                joined = "".join([v for v in values if v is not None])
                sizes = array("q", [-1 if v is None else len(v) for v in values])
            else:
                joined = "".join(values)  # type: ignore[arg-type]  # no None is in it
                sizes = array("q", map(len, values))  # type: ignore[arg-type]  # as above
            if sys.byteorder == "big":
                sizes.byteswap()
            texts.update(joined.encode())
            lengths.update(sizes.tobytes())

    def hexdigest(self) -> str:
        """The digest of the rows so far: 64 hex digits."""
        parts = [
            [name, kind, texts.hexdigest(), lengths.hexdigest()]
            for (name, kind), texts, lengths in zip(
                self._columns, self._texts, self._lengths, strict=True
            )
        ]
        document = canonical_json({"rows": self.rows, "columns": parts})
        return hashlib.sha256(document.encode()).hexdigest()
