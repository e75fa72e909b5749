"""JSON: one document per file, with its schema's version.

`{"dataset", "schema", "schema_version", "shard", "rows": [...]}`, laid out one row a line, so that
it is written and verified in constant memory; any JSON parser reads it.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa

from coachops.export.shapes import Shape
from coachops.export.writers.jsonl import joined, objects
from coachops.export.writers.texts import frame_of

ENVELOPE_END = b"]}\n"


class JsonRows:
    """Rows of a document."""

    def __init__(self, shape: Shape, shard: int) -> None:
        self._shape, self._shard = shape, shard
        self._line = pl.concat_str([pl.lit(",\n"), *objects(shape)])

    def header(self) -> bytes:
        """The envelope, up to the opening bracket of the rows."""
        envelope = {
            "dataset": self._shape.name,
            "schema": self._shape.schema_id,
            "schema_version": self._shape.version,
            "shard": self._shard,
        }
        return (json.dumps(envelope)[:-1] + ', "rows": [').encode()

    def rows(self, batch: pa.RecordBatch, *, first: bool) -> Any:
        """Rows separated by a comma and a line end."""
        return joined(frame_of(batch, self._shape), self._line)[1 if first else 0 :]

    def footer(self, *, empty: bool) -> bytes:
        """The end of the envelope."""
        return ENVELOPE_END if empty else b"\n" + ENVELOPE_END
