"""What a shard writer promises, and the one that serves every text format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from coachops.export.batches import require_types
from coachops.export.plan import FileEntry
from coachops.export.shapes import Shape
from coachops.export.writers.output import Output


class ShardWriter(Protocol):
    """Writes one file of one dataset.

    Attributes:
        rows: written so far.
        max_rows: most rows the file may hold; None for no limit.
    """

    rows: int
    max_rows: int | None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of `batch`.

        Raises:
            CoachError: COACH-EXP-006 where the disk refuses.
            TypeError: names or types of columns are not those of the shape.
            ValueError: more rows than the format holds.
        """
        ...

    def finish(self, blocks: Sequence[str]) -> FileEntry:
        """End the file and give it its name; `blocks` are the digests of its rows."""
        ...

    def abort(self) -> None:
        """Leave nothing; harmless after `finish`."""
        ...


class RowsWriter(Protocol):
    """Turns batches into the bytes of a text format."""

    def header(self) -> bytes:
        """What a file begins with."""
        ...

    def rows(self, batch: pa.RecordBatch, *, first: bool) -> Any:
        """The rows, as anything with a buffer.

        Parameters:
            first: no row stands in the file yet.
        """
        ...

    def footer(self, *, empty: bool) -> bytes:
        """What a file ends with."""
        ...


class TextShard:
    """A file of a text format."""

    def __init__(
        self, output: Output, shape: Shape, writer: RowsWriter, max_rows: int | None = None
    ) -> None:
        self.rows = 0
        self.max_rows = max_rows
        self._output, self._shape, self._writer = output, shape, writer
        self._output.write(writer.header())

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of `batch`; see `ShardWriter`."""
        require_types(batch, self._shape.fields)
        if not batch.num_rows:
            return
        if self.max_rows is not None and self.rows + batch.num_rows > self.max_rows:
            raise ValueError(f"a file of this format holds {self.max_rows} rows")
        self._output.write(self._writer.rows(batch, first=self.rows == 0))
        self.rows += batch.num_rows

    def finish(self, blocks: Sequence[str]) -> FileEntry:
        """End the file; see `ShardWriter`."""
        self._output.write(self._writer.footer(empty=self.rows == 0))
        return entry_of(self._output, self._output.finish(), self.rows, blocks)

    def abort(self) -> None:
        """Leave nothing."""
        self._output.abort()


def entry_of(output: Output, sha256: str, rows: int, blocks: Sequence[str]) -> FileEntry:
    """The manifest's line on a finished file."""
    return FileEntry(
        path=output.path,
        bytes=output.bytes,
        sha256=sha256,
        dataset=output.dataset,
        format=output.format_name,
        shard=output.shard,
        rows=rows,
        blocks=tuple(blocks),
    )
