"""Reading the utterances of an SQLite file as typed batches, and nothing else: what bounds an export.

python -m benchmarks.export.reading FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from coachops.export.datasets import DATASETS
from coachops.export.queries import sql_text, typed_query
from coachops.export.readers.sqlite import SqliteFile, forbid_python_sqlite
from coachops.export.shapes import Shape


def main(file: Path) -> None:
    """Read all rows in the dataset's order."""
    forbid_python_sqlite()
    dataset = DATASETS["utterances"]
    reader = SqliteFile(file)
    reader.begin()
    for _ in reader.read(
        Shape.of(dataset), sql_text(typed_query(dataset, (), sqlite=True), sqlite=True)
    ):
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
