"""Reading the utterances of an SQLite file as typed batches, and nothing else: what bounds an export.

python -m benchmarks.export.reading FILE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from coachops.export.parts import order_of
from coachops.export.plan import ExportSpec, Part
from coachops.export.readers.lookup import read_part
from coachops.export.readers.sqlite import SqliteFile, forbid_python_sqlite


def main(file: Path) -> None:
    """Read all rows in the dataset's order, as an export reads them; print what it took as JSON."""
    forbid_python_sqlite()
    spec = ExportSpec(("parquet",), ("utterances",))
    order = order_of(spec, Part(0, "utterances", 1, None, None, 0), file.parent, sqlite=True)
    began, used = time.perf_counter(), time.process_time()
    reader = SqliteFile(file)
    reader.begin()
    rows = sum(batch.num_rows for batch in read_part(order, reader.read))
    figures = {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - used,
        "rows": rows,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
