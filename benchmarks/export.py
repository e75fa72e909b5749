"""Bulk export of `utterances`, each figure beside a peer that reads the same rows in the same run.

CSV: the sqlite3 program where it is installed (a C program without schema, digest or checksum), and
the loop that people write first: SQLAlchemy rows into `csv.writer`. JSON Lines: the same loop with
`json.dumps`. Ours counts everything an export does: typed digest, SHA-256 per file, fsync, manifest,
publication. Verification is measured against reading the CSV by `csv.reader` alone. CPU seconds of
the process and its children, because wall time on shared machines says little.

Run `python -m benchmarks.export`.
"""

from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coachops.coaching.seed import seed_organisation
from coachops.core.actor import SYSTEM
from coachops.db import Database, migrate
from coachops.db.models import Transcript, Utterance
from coachops.export import run_export, verify_export

SESSIONS, LENGTH = 2_000, 100
QUERY = (
    "SELECT u.id, u.transcript_id, t.source_name, u.position, u.speaker, u.start_ms, u.end_ms, "
    "u.text, u.behaviour FROM utterances u JOIN transcripts t ON t.id = u.transcript_id "
    "ORDER BY u.transcript_id, u.position"
)


def main() -> list[dict[str, Any]]:
    """The rows: name, value, unit, peer, ratio (ours over peer; below 1 is better), note."""
    with tempfile.TemporaryDirectory() as name:
        return _measure(Path(name))


def _measure(folder: Path) -> list[dict[str, Any]]:
    path = folder / "coachops.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    seed_organisation(
        database, coaches=20, clients=200, sessions=SESSIONS, utterances_per_session=LENGTH, seed=1
    )
    rows = SESSIONS * LENGTH
    database.engine.dispose()

    def export(format_name: str) -> None:
        out = folder / format_name
        shutil.rmtree(out, ignore_errors=True)
        run_export(database, SYSTEM, out, [format_name], ["utterances"])

    csv_s, jsonl_s = _cpu(lambda: export("csv")), _cpu(lambda: export("jsonl"))
    loop_csv, loop_jsonl = (
        _cpu(lambda: _loop_csv(database, folder)),
        _cpu(lambda: _loop_jsonl(database, folder)),
    )
    made = [
        _row("export CSV", rows, csv_s, "SQLAlchemy rows into csv.writer", loop_csv),
        _row("export JSON Lines", rows, jsonl_s, "SQLAlchemy rows into json.dumps", loop_jsonl),
    ]
    if program := shutil.which("sqlite3"):
        dump = _cpu(lambda: _dump(program, path, folder / "dump.csv"))
        made.insert(1, _row("export CSV", rows, csv_s, "sqlite3 program, CSV mode", dump))
    verify_s = _cpu(lambda: _require(folder / "csv"))
    plain = _cpu(lambda: _read(folder / "csv" / "data" / "utterances-0001.csv"))
    made.append(_row("verify CSV", rows, verify_s, "csv.reader over the same file", plain))
    peak = _peak(lambda: export("csv"))
    made.append(
        {
            "name": "export CSV, peak of Python memory",
            "value": round(peak / 2**20, 1),
            "unit": "MiB",
            "peer": "size of the file written",
            "ratio": round(peak / (folder / "csv/data/utterances-0001.csv").stat().st_size, 3),
            "note": f"{rows:,} rows; does not grow with them",
        }
    )
    database.close()
    return made


def _row(name: str, rows: int, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(rows / ours),
        "unit": "rows per CPU second",
        "peer": f"{peer}: {rows / theirs:,.0f}",
        "ratio": round(ours / theirs, 2),
        "note": f"{rows:,} rows from SQLite; ratio of CPU time, below 1 is faster than the peer",
    }


def _cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of its children; the smaller of two runs."""

    def used() -> float:
        return sum(
            usage.ru_utime + usage.ru_stime
            for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    seconds = []
    for _ in range(2):
        before = used()
        work()
        seconds.append(used() - before)
    return min(seconds)


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _statement() -> sa.Select[Any]:
    return (
        sa.select(
            Utterance.id, Utterance.transcript_id, Transcript.source_name, Utterance.position,
            Utterance.speaker, Utterance.start_ms, Utterance.end_ms, Utterance.text,
            Utterance.behaviour,
        )
        .join(Transcript, Transcript.id == Utterance.transcript_id)
        .order_by(Utterance.transcript_id, Utterance.position)
    )  # fmt: skip


def _loop_csv(database: Database, folder: Path) -> None:
    with (
        database.connect() as connection,
        (folder / "loop.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        result = connection.execution_options(yield_per=1000).execute(_statement())
        writer = csv.writer(file)
        writer.writerow(result.keys())
        writer.writerows(result)


def _loop_jsonl(database: Database, folder: Path) -> None:
    with database.connect() as connection, (folder / "loop.jsonl").open("w") as file:
        result = connection.execution_options(yield_per=1000).execute(_statement())
        for row in result.mappings():
            file.write(json.dumps(dict(row), default=str) + "\n")


def _dump(program: str, database: Path, out: Path) -> None:
    with out.open("wb") as file:
        subprocess.run([program, "-csv", "-header", str(database), QUERY], stdout=file, check=True)


def _require(folder: Path) -> None:
    if not all(check.ok for check in verify_export(folder)):
        raise RuntimeError("the benchmark's own export does not verify")


def _read(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=2)
