"""Rows as CSV, in the profiles of `dialect.py`."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pyarrow as pa

from coachops.export.batches import TEXT_KINDS
from coachops.export.shapes import Shape
from coachops.export.writers.dialect import FORMULA, LITERAL_NULL, NULL, header
from coachops.export.writers.texts import frame_of


class CsvRows:
    """Rows of the lossless or the Excel profile."""

    def __init__(self, shape: Shape, *, excel: bool) -> None:
        self._shape, self._excel = shape, excel
        self._texts = [
            field.name for field in shape.fields if field.kind in TEXT_KINDS and not field.enum
        ]

    def header(self) -> bytes:
        """The column names."""
        return header(self._shape.names, excel=self._excel)

    def rows(self, batch: pa.RecordBatch, *, first: bool) -> Any:
        """One line per row, except where a text holds line ends."""
        frame = frame_of(batch, self._shape)
        frame = self._apostrophes(frame) if self._excel else self._backslashes(frame)
        buffer = io.BytesIO()
        frame.write_csv(
            buffer,
            include_header=False,
            null_value="" if self._excel else NULL,
            quote_style="always" if self._excel else "necessary",
        )
        return buffer.getbuffer()

    def footer(self, *, empty: bool) -> bytes:
        """Nothing."""
        return b""

    def _backslashes(self, frame: pl.DataFrame) -> pl.DataFrame:
        suspects = frame.select(pl.col(self._texts).str.starts_with("\\").any())
        chosen = [name for name in self._texts if suspects[name][0]]
        return frame.with_columns(_escaped(name, LITERAL_NULL, "\\") for name in chosen)

    def _apostrophes(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(_escaped(name, FORMULA, "'") for name in self._texts)


def _escaped(name: str, pattern: str, sign: str) -> pl.Expr:
    text = pl.col(name)
    longer = pl.concat_str([pl.lit(sign), text])
    return pl.when(text.str.contains(pattern)).then(longer).otherwise(text).alias(name)
