r"""Reading CSV of either profile.

pyarrow parses a block; where the block is not what our writer would write (COPY writes an empty
text without quotes, for one), Python's own strict parser has to find the same values.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from coachops.export.batches import TEXT_KINDS, texts_of
from coachops.export.files.values import typed_batch
from coachops.export.shapes import FormatError, Shape
from coachops.export.writers.csv import CsvRows
from coachops.export.writers.dialect import LITERAL_NULL, NULL

BLOCK_BYTES = 4 << 20
_NULL = texts_of([NULL])[0].cast(pa.string())


def read_csv(source: Iterator[bytes], shape: Shape, *, excel: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a file of the given profile.

    Raises:
        FormatError: with the row that is wrong.
    """
    rows = _Rows(shape, excel=excel)
    try:
        for block in _blocks(source, rows.header):
            yield rows.batch(block)
    except FormatError as error:
        raise FormatError(str(error), error.row or rows.done + 1) from None


class _Rows:
    """Blocks of rows, one after another."""

    def __init__(self, shape: Shape, *, excel: bool) -> None:
        self.done = 0
        self._shape, self._excel = shape, excel
        self._writer = CsvRows(shape, excel=excel)
        self.header = self._writer.header()
        self._options = (
            pacsv.ParseOptions(newlines_in_values=True),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(shape.names, pa.string()),
                null_values=["" if excel else NULL],
                strings_can_be_null=True,
                quoted_strings_can_be_null=excel,
            ),
        )

    def batch(self, block: bytes) -> pa.RecordBatch:
        """The rows of a block of whole rows."""
        try:
            columns = self._parsed(block)
        except pa.ArrowException as error:
            self._strict(block)  # names the row, if it can
            raise FormatError(f"cannot be read ({error})") from None
        batch = typed_batch(self._unescaped(columns), self._shape, self.done)
        if bytes(self._writer.rows(batch, first=True)) != block:
            self._require_same(columns, self._strict(block))
        self.done += batch.num_rows
        return batch

    def _parsed(self, block: bytes) -> list[Any]:
        reading = pacsv.ReadOptions(
            column_names=self._shape.names, block_size=len(block) + 1, use_threads=False
        )
        table = pacsv.read_csv(pa.BufferReader(block), reading, *self._options)
        return [column.combine_chunks() for column in table.columns]

    def _unescaped(self, columns: list[Any]) -> list[Any]:
        made = []
        for field, column in zip(self._shape.fields, columns, strict=True):
            if field.kind not in TEXT_KINDS or field.enum:
                made.append(column)
            elif self._excel:
                made.append(pc.replace_substring_regex(column, "^'", ""))
            elif pc.any(pc.starts_with(column, "\\"), min_count=0).as_py():
                self._require_no_quoted_null(column)
                longer = pc.match_substring_regex(column, LITERAL_NULL)
                made.append(pc.if_else(longer, pc.utf8_slice_codeunits(column, 1), column))
            else:
                made.append(column)
        return made

    def _require_no_quoted_null(self, column: Any) -> None:
        """In quotes it would be a text to this parser and NULL to others."""
        place = pc.index(column, _NULL).as_py()
        if place >= 0:
            raise FormatError(r"holds \N in quotes", self.done + place + 1)

    def _strict(self, block: bytes) -> list[list[str | None]]:
        """The fields as Python's parser sees them."""
        if csv.field_size_limit() < sys.maxsize:
            csv.field_size_limit(sys.maxsize)
        null, width = "" if self._excel else NULL, len(self._shape.fields)
        rows: list[list[str]] = []
        try:
            for row in csv.reader(io.StringIO(block.decode(), newline=""), strict=True):
                if len(row) != width:
                    raise FormatError(f"has not {width} fields", self.done + len(rows) + 1)
                rows.append(row)
        except UnicodeDecodeError as error:
            row_number = self.done + block[: error.start].count(b"\n") + 1
            raise FormatError("is not UTF-8", row_number) from None
        except csv.Error as error:
            raise FormatError(f"cannot be read ({error})", self.done + len(rows) + 1) from None
        return [
            [None if value == null else value for value in column]
            for column in zip(*rows, strict=True)
        ]

    def _require_same(self, found: list[Any], strict: list[list[str | None]]) -> None:
        for field, column, values in zip(self._shape.fields, found, strict, strict=True):
            for number, (ours, theirs) in enumerate(
                zip(column.to_pylist(), values, strict=False), self.done + 1
            ):
                if ours != theirs:
                    raise FormatError(f"column {field.name} is not quoted as it must be", number)
            if len(column) != len(values):
                raise FormatError("has rows that parsers see differently")


def _blocks(source: Iterator[bytes], header: bytes) -> Iterator[bytes]:
    """Blocks of whole rows after the header; a row ends where an even number of quotes stands."""
    waiting = bytearray()
    for piece in source:
        waiting += piece
        if len(waiting) >= len(header):
            break
    if not waiting.startswith(header):
        raise FormatError("the header is not that of the schema")
    del waiting[: len(header)]
    for piece in source:
        waiting += piece
        if len(waiting) >= BLOCK_BYTES and (end := _last_row_end(waiting)):
            yield bytes(memoryview(waiting)[:end])
            del waiting[:end]
    if end := _last_row_end(waiting):
        yield bytes(memoryview(waiting)[:end])
        del waiting[:end]
    if waiting:
        raise FormatError("is cut off")


def _last_row_end(data: bytearray) -> int:
    """Where the last whole row ends; 0 where there is none."""
    end = len(data)
    quotes = data.count(b'"')
    while (newline := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0
