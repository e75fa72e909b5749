"""Writing the files of an export: CSV in two profiles, JSON Lines, JSON and Parquet.

A shard writer takes typed batches (`batches.py`) and leaves one finished file under its final name,
or nothing. Invariants: equal rows give equal bytes, however they were cut into batches; no row is
touched by Python alone. To add a format: a module with a `RowsWriter` or a writer of its own, its
row in `open_shard`, and a reader in `files/`.
"""

from pathlib import Path

from coachops.export.shapes import FormatError, Shape
from coachops.export.writers.csv import EXCEL_MAX_ROWS, CsvRows
from coachops.export.writers.json import JsonRows
from coachops.export.writers.jsonl import JsonLinesRows
from coachops.export.writers.output import Output
from coachops.export.writers.parquet import ParquetShard
from coachops.export.writers.shard import ShardWriter, TextShard

FORMATS = ("csv", "json", "jsonl", "parquet")
CSV_PROFILES = ("lossless", "excel")
COMPRESSIONS = ("none", "zstd", "gzip")


def open_shard(
    folder: Path,
    shape: Shape,
    format_name: str,
    shard: int,
    *,
    csv_profile: str = "lossless",
    compression: str = "none",
) -> ShardWriter:
    """A writer of `data/<dataset>-<shard>.<format>` below `folder`.

    Parameters:
        shard: number of the file, from 1.
        compression: of text formats; Parquet is always zstd inside.

    Raises:
        CoachError: COACH-EXP-006 where the disk refuses.
    """
    if format_name == "parquet":
        return ParquetShard(Output(folder, shape.name, "parquet", shard), shape)
    output = Output(folder, shape.name, format_name, shard, compression)
    match format_name:
        case "csv" if csv_profile == "excel":
            return TextShard(output, shape, CsvRows(shape, excel=True), EXCEL_MAX_ROWS)
        case "csv":
            return TextShard(output, shape, CsvRows(shape, excel=False))
        case "json":
            return TextShard(output, shape, JsonRows(shape, shard))
        case _:
            return TextShard(output, shape, JsonLinesRows(shape))


__all__ = [
    "COMPRESSIONS",
    "CSV_PROFILES",
    "EXCEL_MAX_ROWS",
    "FORMATS",
    "FormatError",
    "ShardWriter",
    "open_shard",
]
