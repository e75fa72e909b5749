"""Datasets as Arrow batches, as the export reads them: ids as 16 bytes, times typed."""

from __future__ import annotations

import pyarrow as pa

from coachops.db import Database
from coachops.export import Dataset
from coachops.export.readers import read_batches


def batches(database: Database, dataset: Dataset) -> list[pa.RecordBatch]:
    """Every row of a dataset."""
    with database.connect() as connection:
        return list(read_batches(connection, dataset, None))
