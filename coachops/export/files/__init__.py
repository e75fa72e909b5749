"""Reading the files of an export back into typed batches, strictly, in constant memory.

Serves verification, restoring and analysts. Invariants: what is read is what was written, typed; a
file that is cut, has other columns, another type, a key twice or bytes that are no text is refused
with the row where that is seen (`FormatError`). Reading is fast because a block is parsed by a lax
and quick parser, written again, and compared byte by byte; only where that differs (another program
or another version wrote the file) a slow and strict parser decides. To add a format: a module with
a generator of batches and its name in `read_file`.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from coachops.export.files.csv import read_csv
from coachops.export.files.json import read_json
from coachops.export.files.jsonl import read_json_lines
from coachops.export.files.parquet import read_parquet
from coachops.export.files.source import pieces
from coachops.export.shapes import FormatError, Shape


def read_file(
    path: Path, shape: Shape, format_name: str, *, csv_profile: str = "lossless"
) -> Iterator[pa.RecordBatch]:
    """The rows of one data file; compression follows from the name.

    Raises:
        FormatError: with the row where the file breaks the format or the schema.
        OSError: the file cannot be read.
    """
    match format_name:
        case "parquet":
            yield from read_parquet(path, shape)
        case "csv":
            yield from read_csv(pieces(path), shape, excel=csv_profile == "excel")
        case "json":
            yield from read_json(pieces(path), shape)
        case "jsonl":
            yield from read_json_lines(pieces(path), shape)
        case _:
            raise FormatError(f"the format {format_name} is unknown here")


__all__ = ["FormatError", "read_file"]
