"""Reading the utterances of an SQLite file as typed batches, and nothing else: what bounds an export.

python -m benchmarks.export.reading FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from coachops.export.parts import order_of
from coachops.export.plan import ExportSpec, Part
from coachops.export.readers.lookup import read_part
from coachops.export.readers.sqlite import SqliteFile, forbid_python_sqlite


def main(file: Path) -> None:
    """Read all rows in the dataset's order, as an export reads them."""
    forbid_python_sqlite()
    spec = ExportSpec(("parquet",), ("utterances",))
    order = order_of(spec, Part(0, "utterances", 1, None, None, 0), file.parent, sqlite=True)
    reader = SqliteFile(file)
    reader.begin()
    for _ in read_part(order, reader.read):
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
