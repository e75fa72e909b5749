"""Parquet: zstd inside, row groups of whole digest blocks, no trace of how rows arrived.

Ids carry the logical type UUID, JSON columns JSON, instants are microseconds in UTC. A column of
ids or texts gets a dictionary where its first rows repeat. Free text has no statistics: nobody
looks for a range of sentences, and the bounds would be a client's words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coachops.export.batches import INSTANT, TEXT_KINDS, require_types
from coachops.export.blocks import BLOCK_ROWS
from coachops.export.plan import FileEntry
from coachops.export.shapes import Shape
from coachops.export.writers.output import Output
from coachops.export.writers.shard import entry_of

ROW_GROUP = BLOCK_ROWS
_ZSTD_LEVEL = 1
_SAMPLE = 1_000
"""Rows that decide on dictionaries: equal rows decide equally."""

_TYPES: dict[str, pa.DataType] = {
    "uuid": pa.uuid(),
    "json": pa.json_(pa.string_view()),
    "integer": pa.int32(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": INSTANT,
}


class ParquetShard:
    """A Parquet file."""

    max_rows: int | None = None

    def __init__(self, output: Output, shape: Shape) -> None:
        self.rows = 0
        self._output, self._shape = output, shape
        self._schema = parquet_schema(shape)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._sink = _Sink(output)
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of `batch`; see `ShardWriter`."""
        require_types(batch, self._shape.fields)
        if not batch.num_rows:
            return
        self._waiting.append(self._typed(batch))
        self._waiting_rows += batch.num_rows
        self.rows += batch.num_rows
        while self._waiting_rows >= ROW_GROUP:
            self._write_group(ROW_GROUP)

    def finish(self, blocks: Sequence[str]) -> FileEntry:
        """End the file; see `ShardWriter`."""
        if self._waiting_rows or self._writer is None:
            self._write_group(self._waiting_rows)
        if self._writer is not None:
            self._writer.add_key_value_metadata(_metadata(self._shape))
            self._writer.close()
        return entry_of(self._output, self._output.finish(), self.rows, blocks)

    def abort(self) -> None:
        """Leave nothing."""
        self._waiting.clear()
        self._sink.forget = True
        if self._writer is not None:
            self._writer.close()  # else it writes its footer when it is collected
        self._output.abort()

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = []
        for array, field in zip(batch.columns, self._schema, strict=True):
            if isinstance(field.type, pa.BaseExtensionType):
                storage = array.cast(field.type.storage_type)
                arrays.append(pa.ExtensionArray.from_storage(field.type, storage))
            else:
                arrays.append(array.cast(field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _write_group(self, rows: int) -> None:
        """The first `rows` rows that wait, in one piece: page ends depend on pieces."""
        whole = pa.Table.from_batches(self._waiting, self._schema)
        group = whole.slice(0, rows).combine_chunks()
        if self._writer is None:
            self._writer = self._opened(group)
        self._writer.write_table(group, row_group_size=max(rows, 1))
        rest = whole.slice(rows)
        self._waiting, self._waiting_rows = rest.to_batches(), rest.num_rows

    def _opened(self, group: pa.Table) -> pq.ParquetWriter:
        free = {f.name for f in self._shape.fields if f.kind in {"text", "json"}}
        return pq.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            self._schema,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=_repeating(group, self._shape),
            write_statistics=[name for name in self._shape.names if name not in free],
            write_page_index=True,
            store_schema=False,
        )


class _Sink:
    """As much of a file as Arrow needs; closing the writer must not end the output."""

    closed = False

    def __init__(self, output: Output) -> None:
        self.forget = False
        self._output = output

    def write(self, data: Any) -> int:
        """Append."""
        return len(data) if self.forget else self._output.write(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is held here."""


def parquet_schema(shape: Shape) -> pa.Schema:
    """Names, types and nullability of a Parquet file."""
    return pa.schema(
        [
            pa.field(field.name, _TYPES.get(field.kind, pa.string_view()), field.nullable)
            for field in shape.fields
        ]
    )


def _metadata(shape: Shape) -> dict[str, str]:
    kinds = {field.name: field.kind for field in shape.fields}
    return {
        "coachops.dataset": shape.name,
        "coachops.version": shape.version,
        "coachops.schema": shape.schema_id,
        "coachops.kinds": json.dumps(kinds, separators=(",", ":")),
    }


def _repeating(group: pa.Table, shape: Shape) -> list[str]:
    sample = group.slice(0, _SAMPLE)
    chosen = []
    for field in shape.fields:
        if field.kind != "uuid" and field.kind not in TEXT_KINDS:
            continue
        column = sample.column(field.name).combine_chunks()
        storage = column.storage if isinstance(column, pa.ExtensionArray) else column
        if field.kind in TEXT_KINDS:
            storage = storage.cast(pa.string())
        if field.enum or 2 * pc.count_distinct(storage, mode="all").as_py() < len(storage):
            chosen.append(field.name)
    return chosen
