"""Reading JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from coachops.export.batches import texts_of
from coachops.export.canonical import canonical_json
from coachops.export.files.source import line_blocks
from coachops.export.files.values import strict_json, typed_batch
from coachops.export.shapes import Field, FormatError, Shape
from coachops.export.writers.jsonl import JsonLinesRows, joined

BLOCK_BYTES = 4 << 20
_PLAIN: dict[str, Any] = {"integer": pl.Int32, "boolean": pl.Boolean}


def read_json_lines(source: Iterator[bytes], shape: Shape) -> Iterator[pa.RecordBatch]:
    """The rows of a file.

    Raises:
        FormatError: with the row that is wrong.
    """
    lines = Lines(shape)
    try:
        for block in line_blocks(source, BLOCK_BYTES):
            yield lines.batch(block)
    except FormatError as error:
        raise FormatError(str(error), error.row or lines.done + 1) from None


class Lines:
    """Blocks of lines, one after another.

    Attributes:
        done: rows read so far.
    """

    def __init__(self, shape: Shape) -> None:
        self.done = 0
        self._shape = shape
        self._writer = JsonLinesRows(shape)
        self._plain = {
            field.name: _PLAIN.get(field.kind, pl.String)
            for field in shape.fields
            if field.kind != "json"
        }

    def batch(self, block: bytes) -> pa.RecordBatch:
        """The rows of a block of whole lines.

        Raises:
            FormatError: with the row that is wrong.
        """
        batch = self._quick(block) or self._strict(block)
        self.done += batch.num_rows
        return batch

    def _quick(self, block: bytes) -> pa.RecordBatch | None:
        """The rows, if writing them again gives the very same bytes."""
        try:
            columns = self._parsed(block)
            batch = typed_batch(columns, self._shape, self.done)
        except (pl.exceptions.PolarsError, FormatError, UnicodeDecodeError):
            return None
        if not batch.num_rows or bytes(self._writer.rows(batch, first=True)) != block:
            return None
        return batch

    def _parsed(self, block: bytes) -> list[Any]:
        if len(self._plain) == len(self._shape.fields):
            frame = pl.read_ndjson(block, schema=self._plain, low_memory=True)
            return [frame[name].to_arrow() for name in self._shape.names]
        rest, nested = _cut_out(_lines(block), self._shape)
        plain = bytes(joined(rest.to_frame(), pl.concat_str([pl.first(), pl.lit("\n")])))
        frame = pl.read_ndjson(plain, schema=self._plain, low_memory=True)
        return [
            (nested[name] if name in nested else frame[name]).to_arrow()
            for name in self._shape.names
        ]

    def _strict(self, block: bytes) -> pa.RecordBatch:
        """The rows as a careful parser sees them, whoever wrote them."""
        texts: list[list[Any]] = [[] for _ in self._shape.fields]
        names = set(self._shape.names)
        for number, line in enumerate(block[:-1].split(b"\n"), self.done + 1):
            try:
                row = strict_json(line.decode())
            except ValueError as error:
                raise FormatError(f"is not JSON ({error})", number) from None
            if not isinstance(row, dict) or row.keys() != names:
                raise FormatError("has not the columns of the schema", number)
            for field, values in zip(self._shape.fields, texts, strict=True):
                values.append(_text(row[field.name], field, number))
        return typed_batch([texts_of(values) for values in texts], self._shape, self.done)


def _lines(block: bytes) -> pl.Series:
    """The lines of a block as texts, without copying them.

    Raises:
        UnicodeDecodeError: they are not UTF-8.
    """
    if not block.isascii():
        block.decode()
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    offsets = np.concatenate([[0], ends + 1]).astype(np.int64)
    texts = pa.Array.from_buffers(
        pa.large_string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    )
    return pl.Series("line", texts).str.strip_suffix("\n")


def _cut_out(lines: pl.Series, shape: Shape) -> tuple[pl.Series, dict[str, pl.Series]]:
    """Lines without their nested values, and those; where a key also stands inside a nested value
    the cut is wrong, which shows when the row is written again."""
    rest, nested = lines, {}
    for index, field in enumerate(shape.fields):
        if field.kind != "json":
            continue
        head = rest.str.splitn(f',"{field.name}":', 2)
        before, after = head.struct[0], head.struct[1]
        if index + 1 < len(shape.fields):
            follower = f',"{shape.fields[index + 1].name}":'
            tail = after.str.splitn(follower, 2)
            value, after = tail.struct[0], follower + tail.struct[1]
        else:
            value, after = (
                after.str.strip_suffix("}"),
                pl.Series(["}"]).new_from_index(0, len(after)),
            )
        nested[field.name] = value.set(value == "null", None)
        rest = before + after
    return rest, nested


def _text(value: Any, field: Field, number: int) -> str | None:
    """The canonical text of a parsed value.

    Raises:
        FormatError: its type is not that of the column.
    """
    if value is None:
        return None
    match field.kind:
        case "json":
            return canonical_json(value)
        case "integer" if type(value) is int:
            return str(value)
        case "boolean" if type(value) is bool:
            return "true" if value else "false"
        case "integer" | "boolean":
            pass
        case _ if type(value) is str:
            return value
    raise FormatError(f"column {field.name} holds a value of a wrong type", number)
