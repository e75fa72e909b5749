"""Running ours and the peers in turn, each in a process of its own, and what each took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.export.databases import Sources, server_seconds
from benchmarks.export.peer import ORDER, select

PEERS = Path("benchmarks/peers")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took, or the medians of several.

    Attributes:
        wall: seconds. cpu: processor seconds of all processes, the server's included.
        rows: written.
        peak_mb: of the largest process, for ours. digest: processor seconds inside the digest.
    """

    wall: float
    cpu: float
    rows: int
    peak_mb: float = 0.0
    digest: float = 0.0


Task = Callable[[], Figures]


def in_turn(tasks: Mapping[str, Task], rounds: int) -> dict[str, Figures]:
    """The medians of every task over `rounds` rounds."""
    found: dict[str, list[Figures]] = {name: [] for name in tasks}
    for number in range(rounds):
        for name, task in tasks.items():
            print(f"  round {number + 1}: {name}", file=sys.stderr, flush=True)
            found[name].append(task())
    return {
        name: Figures(
            median(one.wall for one in runs),
            median(one.cpu for one in runs),
            runs[0].rows,
            max(one.peak_mb for one in runs),
            median(one.digest for one in runs),
        )
        for name, runs in found.items()
    }


def ours(
    source: Sources, url: str, formats: str, workers: int, *more: str, datasets: str = "utterances"
) -> Task:
    """An export of ours; `more` are options of `benchmarks.export.ours`."""
    out = source.folder / "ours"
    named = [datasets] if datasets else []
    command = [sys.executable, "-m", "benchmarks.export.ours", url, formats, str(workers), str(out)]
    return lambda: _told(source, [*command, *named, *more])


def python_peer(source: Sources, name: str, suffix: str, rows: int) -> Task:
    """A peer of `benchmarks/export/peer.py`."""
    where = str(source.sqlite) if "-sqlite" in name else str(source.port)
    out = str(source.folder / f"peer.{suffix}")
    command = [str(PEERS / ".venv/bin/python"), "benchmarks/export/peer.py", name, where, out]
    return lambda: _told(source, [*command, str(rows)])


def reading(source: Sources) -> Task:
    """Our reader of SQLite in one process, without an export around it."""
    return lambda: _told(
        source, [sys.executable, "-m", "benchmarks.export.reading", str(source.sqlite)]
    )


def program(source: Sources, command: Sequence[str], rows: int) -> Task:
    """Another program, its output in a file."""

    def run() -> Figures:
        before, began = server_seconds(source), time.perf_counter()
        with (source.folder / "program.out").open("wb") as file:
            process = subprocess.Popen(command, stdout=file)
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}")
        cpu = usage.ru_utime + usage.ru_stime + server_seconds(source) - before
        return Figures(wall, cpu, rows)

    return run


def psql(source: Sources, query: str, options: str) -> Task:
    """`psql \\copy` of a query."""
    target = source.folder / "psql.out"
    copy = rf"\copy ({query}) TO '{target}' WITH ({options})"
    address = ["-h", "127.0.0.1", "-p", str(source.port), "-U", "coachops", "coachops"]
    return program(source, ["psql", "-q", *address, "-c", copy], source.rows)


def rows_query() -> str:
    """The rows of the dataset in its order."""
    return f"{select()} {ORDER}"


def stages(source: Sources, url: str, format_name: str, rows: int) -> dict[str, float]:
    """Processor seconds of each stage of an export in one process, the server's as `PostgreSQL`.

    Parameters:
        rows: that there are.
    """
    out = str(source.folder / "stages")
    command = [sys.executable, "-m", "benchmarks.export.stages", url, format_name, str(rows), out]
    before = server_seconds(source)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the stages of {format_name}: {done.stderr[-2000:]}")
    server = server_seconds(source) - before
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found if url.startswith("sqlite") else {"PostgreSQL": server, **found}


def install_peers() -> None:
    """The environment of the peers, from its lock."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "sync", "--frozen", "--quiet", "--project", PEERS], check=True)


def _told(source: Sources, command: Sequence[str]) -> Figures:
    before = server_seconds(source)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    cpu = told["cpu"] + server_seconds(source) - before
    peak, digest = told.get("peak_mb", 0.0), told.get("digest", 0.0)
    return Figures(told["wall"], cpu, told["rows"], peak, digest)
