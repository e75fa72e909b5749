"""JSON Lines: one object a line, ended by LF.

64-bit integers are strings (JSON readers round above 2^53), JSON columns are nested: their text is
canonical already and goes into the line as it is. polars writes the plain columns, a run at a time.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from coachops.export.shapes import Shape
from coachops.export.writers.texts import frame_of


class JsonLinesRows:
    """Rows as objects, one a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._line = pl.concat_str([*objects(shape), pl.lit("\n")])

    def header(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, batch: pa.RecordBatch, *, first: bool) -> Any:
        """One line per row."""
        return joined(frame_of(batch, self._shape), self._line)

    def footer(self, *, empty: bool) -> bytes:
        """Nothing."""
        return b""


def objects(shape: Shape) -> list[pl.Expr]:
    """Pieces that make up one row's object when they are put one after another."""
    runs = [
        (nested, [field.name for field in fields])
        for nested, fields in itertools.groupby(shape.fields, lambda field: field.kind == "json")
    ]
    if runs == [(False, shape.names)]:
        return [pl.struct(shape.names).struct.json_encode()]
    pieces: list[pl.Expr] = []
    for nested, names in runs:
        comma = "," if pieces else "{"
        if not nested:
            inside = pl.struct(names).struct.json_encode().str.strip_prefix("{")
            pieces += [pl.lit(comma), inside.str.strip_suffix("}")]
            continue
        for name in names:
            pieces += [pl.lit(f"{comma}{json.dumps(name)}:"), pl.col(name).fill_null("null")]
            comma = ","
    return [*pieces, pl.lit("}")]


def joined(frame: pl.DataFrame, expression: pl.Expr) -> memoryview:
    """The texts of an expression one after another, as bytes."""
    texts = pc.cast(frame.select(expression).to_series().to_arrow(), pa.large_string())
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return memoryview(texts.buffers()[2])
