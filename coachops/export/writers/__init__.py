"""Writing the files of an export: CSV in two profiles, JSON Lines, JSON and Parquet.

A shard writer takes typed batches (`batches.py`) and leaves one finished file under its final name,
or nothing. Invariants: equal rows give equal bytes, however they were cut into batches; no row is
touched by Python alone. To add a format: a module with a `RowsWriter` or a writer of its own, its
row in `_rows_of`, and a reader in `files/`.
"""

from pathlib import Path

from coachops.export.shapes import FormatError, Shape
from coachops.export.writers.dialect import EXCEL_MAX_ROWS
from coachops.export.writers.output import Output
from coachops.export.writers.parquet import ParquetShard
from coachops.export.writers.shard import RowsWriter, ShardWriter, TextShard

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
    excel = format_name == "csv" and csv_profile == "excel"
    rows = _rows_of(format_name, shape, shard, excel=excel)
    return TextShard(output, shape, rows, EXCEL_MAX_ROWS if excel else None)


def _rows_of(format_name: str, shape: Shape, shard: int, *, excel: bool) -> RowsWriter:
    """Loaded when needed: polars, which these need, is a third of what a process takes to start."""
    match format_name:
        case "csv":
            from coachops.export.writers.csv import CsvRows  # noqa: PLC0415 see above

            return CsvRows(shape, excel=excel)
        case "json":
            from coachops.export.writers.json import JsonRows  # noqa: PLC0415 see above

            return JsonRows(shape, shard)
        case "jsonl":
            from coachops.export.writers.jsonl import JsonLinesRows  # noqa: PLC0415 see above

            return JsonLinesRows(shape)
        case _:
            raise ValueError(f"no writer of {format_name}")


__all__ = [
    "COMPRESSIONS",
    "CSV_PROFILES",
    "EXCEL_MAX_ROWS",
    "FORMATS",
    "FormatError",
    "ShardWriter",
    "open_shard",
]
