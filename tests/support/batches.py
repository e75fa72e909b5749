"""Datasets as Arrow batches, as the export reads them: ids as 16 bytes, times typed."""

from __future__ import annotations

import pyarrow as pa

from coachops.db import Database
from coachops.export import Dataset
from coachops.export.readers import read_batches


def batches(database: Database, dataset: Dataset) -> list[pa.RecordBatch]:
    """Every row of a dataset; texts are copied, for the reader's are views of whole rows."""
    with database.connect() as connection:
        return [
            pa.RecordBatch.from_arrays(
                [
                    array.cast(pa.string()) if array.type == pa.string_view() else array
                    for array in batch.columns
                ],
                batch.schema.names,
            )
            for batch in read_batches(connection, dataset, None)
        ]
