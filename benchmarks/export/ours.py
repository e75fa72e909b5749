"""One export of ours in a process of its own; prints what it took as JSON.

python -m benchmarks.export.ours URL FORMATS WORKERS OUT [DATASETS] [--verify] [--no-digest]
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet

from benchmarks.export.stages import Stages
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.export import run_export, verify_export
from coachops.export.blocks import BlockDigest
from coachops.export.readers import postgres

LOADED = (pl, pyarrow.parquet, postgres)


def used() -> float:
    """Processor seconds of this process and those it has started."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, both))


def peak_mb() -> float:
    """The most memory that this process, or one that it started, had at a time.

    The kernel's own mark and not `ru_maxrss` of this process: that one counts what the process had
    that started this one, where it was started by vfork.
    """
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def main(arguments: list[str]) -> None:
    """Make the export and print the figures."""
    given = [text for text in arguments if not text.startswith("--")]
    url, formats, workers, out = given[:4]
    datasets = given[4].split(",") if len(given) > 4 else None
    watched = Stages()
    if "--digest" in arguments:
        watched.watch(BlockDigest, "update", "digest")
    shutil.rmtree(out, ignore_errors=True)
    database = Database(url)
    wall, cpu = time.perf_counter(), used()
    manifest = run_export(
        database, SYSTEM, Path(out), formats.split(","), datasets, workers=int(workers)
    )
    if "--verify" in arguments:
        checks = verify_export(Path(out))
        if not all(check.ok for check in checks):
            raise RuntimeError(next(check for check in checks if not check.ok))
    database.close()
    figures = {
        "wall": time.perf_counter() - wall,
        "cpu": used() - cpu,
        "peak_mb": peak_mb(),
        "rows": sum(dataset["rows"] for dataset in manifest["datasets"]),
        "digest": watched.seconds.get("digest", 0.0),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
