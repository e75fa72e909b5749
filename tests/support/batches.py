"""Datasets as Arrow batches, as the export will read them: ids as 16 bytes, times typed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from coachops.export.reader import read

from coachops.db import Database
from coachops.export import Dataset

TYPES: dict[str, tuple[pa.DataType, Callable[[str], Any]]] = {
    "uuid": (pa.binary(16), lambda text: uuid.UUID(text).bytes),
    "integer": (pa.int32(), int),
    "int64": (pa.int64(), int),
    "boolean": (pa.bool_(), lambda text: text == "true"),
    "date": (pa.date32(), dt.date.fromisoformat),
    "instant": (pa.timestamp("us", "UTC"), dt.datetime.fromisoformat),
}


def batches(database: Database, dataset: Dataset) -> list[pa.RecordBatch]:
    """Every row of a dataset."""
    made = []
    with database.connect() as connection:
        for chunk in read(connection, dataset):
            arrays = []
            for column, values in zip(dataset.columns, chunk, strict=True):
                kind, parse = TYPES.get(column.kind, (pa.string(), str))
                arrays.append(pa.array([None if v is None else parse(v) for v in values], kind))
            names = [column.name for column in dataset.columns]
            made.append(pa.RecordBatch.from_arrays(arrays, names=names))
    return made
