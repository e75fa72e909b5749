"""The table of speed and memory: every line with what is held to, what was found, and whether it is met."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.export.databases import Sources, sources
from benchmarks.export.running import (
    Figures,
    Task,
    in_turn,
    install_peers,
    ours,
    program,
    psql,
    python_peer,
    reading,
    rows_query,
    stages,
)

PANDAS_ROWS = 300_000
QUICK_ROWS = 20_000
MEMORY_MB = 300


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: `ours` must be `target` times as fast as `peer`, by wall time.

    Attributes:
        bound: a task that does nothing but what no export can leave out; told where `ours` misses.
    """

    what: str
    ours: str
    peer: str
    target: float
    bound: str = "psql binary"


POSTGRES = (
    Line("PostgreSQL to CSV", "pg csv 1", "psql copy", 0.9),
    Line("PostgreSQL to CSV, one process", "pg csv 1", "pandas csv", 10, "psql copy"),
    Line("PostgreSQL to CSV, two processes", "pg csv 2", "pandas csv", 10, "psql copy"),
    Line("PostgreSQL to JSON Lines, one process", "pg jsonl 1", "psql row_to_json", 1.2),
    Line("PostgreSQL to JSON Lines, two processes", "pg jsonl 2", "psql row_to_json", 1.7),
    Line("PostgreSQL to JSON Lines, one process", "pg jsonl 1", "pandas jsonl", 10),
    Line("PostgreSQL to JSON Lines, two processes", "pg jsonl 2", "pandas jsonl", 10),
    Line("PostgreSQL to Parquet, ordered, digest, one process", "pg parquet 1", "duckdb", 0.85),
    Line("PostgreSQL to Parquet, ordered, digest, two processes", "pg parquet 2", "duckdb", 1.2),
    Line("PostgreSQL to Parquet, one process", "pg parquet 1", "pandas parquet", 8),
    Line("PostgreSQL to Parquet, two processes", "pg parquet 2", "pandas parquet", 8),
)
SQLITE = (
    Line("SQLite to CSV, both cores", "sqlite csv 2", "sqlite3 csv", 1.5, "sqlite reading"),
    Line("SQLite to CSV", "sqlite csv 2", "sqlite pandas csv", 8, "sqlite reading"),
    Line(
        "SQLite to JSON Lines, both cores", "sqlite jsonl 2", "sqlite3 json", 1.5, "sqlite reading"
    ),
    Line("SQLite to JSON Lines", "sqlite jsonl 2", "sqlite pandas jsonl", 8, "sqlite reading"),
    Line(
        "SQLite to Parquet, both cores", "sqlite parquet 2", "sqlite duckdb", 1.2, "sqlite reading"
    ),
)


def main() -> list[dict[str, object]]:
    """The rows: name, value, unit, peer, ratio, note. Each is told as soon as it is known."""
    made: list[dict[str, object]] = []
    for rows in _groups():
        made += rows
        for row in rows:
            ratio = f" {row['ratio']}x" if "ratio" in row else ""
            told = f"  {row['name']}: {row['value']} {row['unit']}{ratio}; {row['note']}"
            print(told, file=sys.stderr, flush=True)
    return made


def _groups() -> Iterator[list[dict[str, object]]]:
    quick = "--quick" in sys.argv
    rows = _option("rows", QUICK_ROWS if quick else 3_000_000)
    rounds = _option("rounds", 1 if quick else 3)
    install_peers()
    with sources(rows) as source:
        for lines, tasks in ((POSTGRES, _postgres(source)), (SQLITE, _sqlite(source))):
            found = in_turn(tasks, rounds)
            yield [_row(line, found) for line in lines if {line.peer, line.ours} <= found.keys()]
            yield _memory_and_digest(found)
            yield _stages(source, lines, found)
    many = "--ten-million" in sys.argv
    sizes = [rows // 10, rows] + ([1_000_000, 10_000_000] if many else [])
    yield _bundles(sorted(set(sizes)))
    if many:
        yield _growth_of_memory(1_000_000, 10_000_000)


def _option(name: str, default: int) -> int:
    given = [text for text in sys.argv if text.startswith(f"--{name}=")]
    return int(given[-1].split("=")[1]) if given else default


def _postgres(source: Sources) -> dict[str, Task]:
    if not source.postgres:
        return {}
    few, rows = min(source.rows, PANDAS_ROWS), source.rows
    as_json = f"SELECT row_to_json(x) FROM ({rows_query()}) x"  # noqa: S608 our own query
    url = source.postgres
    tasks = {
        "pg csv 1": ours(source, url, "csv", 1),
        "psql copy": psql(source, rows_query(), "FORMAT csv, HEADER"),
        "psql binary": psql(source, rows_query(), "FORMAT binary"),
        "pg csv 2": ours(source, url, "csv", 2),
        "pg jsonl 1": ours(source, url, "jsonl", 1),
        "psql row_to_json": psql(source, as_json, r"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02'"),
        "pg jsonl 2": ours(source, url, "jsonl", 2),
        "pg parquet 1": ours(source, url, "parquet", 1, "--digest"),
        "duckdb": python_peer(source, "duckdb-postgres", "parquet", rows),
        "pg parquet 2": ours(source, url, "parquet", 2),
    }
    pandas = {
        f"pandas {suffix}": python_peer(source, "pandas-postgres", suffix, few)
        for suffix in ("csv", "jsonl", "parquet")
    }
    return tasks | pandas


def _sqlite(source: Sources) -> dict[str, Task]:
    few, rows = min(source.rows, PANDAS_ROWS), source.rows
    url, tasks = source.sqlite_url, {}
    tasks["sqlite csv 2"] = ours(source, url, "csv", 2)
    tasks["sqlite reading"] = reading(source)
    if command := shutil.which("sqlite3"):
        file = str(source.sqlite)
        text = [command, "-csv", "-header", file, rows_query()]
        tasks["sqlite3 csv"] = program(source, text, rows)
        tasks["sqlite jsonl 2"] = ours(source, url, "jsonl", 2)
        tasks["sqlite3 json"] = program(source, [command, "-json", file, rows_query()], rows)
    tasks["sqlite parquet 2"] = ours(source, url, "parquet", 2)
    tasks["sqlite duckdb"] = python_peer(source, "duckdb-sqlite", "parquet", rows)
    for suffix in ("csv", "jsonl"):
        tasks[f"sqlite pandas {suffix}"] = python_peer(source, "pandas-sqlite", suffix, few)
    return tasks


def _row(line: Line, found: Mapping[str, Figures]) -> dict[str, object]:
    mine, theirs = found[line.ours], found[line.peer]
    wall = (theirs.wall / theirs.rows) / (mine.wall / mine.rows)
    cpu = (theirs.cpu / theirs.rows) / (mine.cpu / mine.rows)
    met = wall >= line.target
    return {
        "name": line.what,
        "value": round(mine.rows / mine.wall),
        "unit": "rows/s",
        "peer": f"{line.peer}: {theirs.rows / theirs.wall:,.0f}",
        "ratio": round(wall, 2),
        "note": f"target >= {line.target}x: {_met(met)}; by processor time {cpu:.2f}x "
        f"({mine.cpu:.1f} s, peer {theirs.cpu:.1f} s of {theirs.rows:,} rows)"
        + ("" if met else _bound(line, theirs, found)),
    }


def _bound(line: Line, peer: Figures, found: Mapping[str, Figures]) -> str:
    """What a part of the work takes that stays whatever is done about the rest."""
    part = found[line.bound]
    wall = (peer.wall / peer.rows) / (part.wall / part.rows)
    return (
        f"; {line.bound} alone, in one process, is {wall:.2f}x the peer and takes {part.cpu:.1f} s"
    )


def _memory_and_digest(found: Mapping[str, Figures]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for name, figures in found.items():
        if not name.startswith(("pg ", "sqlite csv", "sqlite jsonl", "sqlite parquet")):
            continue
        met = _met(figures.peak_mb <= MEMORY_MB)
        made.append(
            {
                "name": f"memory of a process, {name}", "value": round(figures.peak_mb),
                "unit": "MB", "note": f"target <= {MEMORY_MB}: {met}",
            }
        )  # fmt: skip
        if figures.digest:
            share = figures.digest / figures.cpu
            made.append(
                {
                    "name": f"content digest, {name}", "value": round(100 * share, 1),
                    "unit": "% of the processor time", "note": f"target <= 8: {_met(share <= 0.08)}",
                }
            )  # fmt: skip
    return made


def _stages(
    source: Sources, lines: Sequence[Line], found: Mapping[str, Figures]
) -> list[dict[str, object]]:
    """What the processor does for each format: what bounds the lines that are missed."""
    made: list[dict[str, object]] = []
    for suffix in ("csv", "jsonl", "parquet"):
        names = {line.ours for line in lines if f" {suffix} " in line.ours} & found.keys()
        if not names:
            continue
        kind, rows = min(names).partition(" ")[0], found[min(names)].rows
        url = source.sqlite_url if kind == "sqlite" else source.postgres
        taken = stages(source, url, suffix, rows)
        peers = {line.peer for line in lines if line.ours in names} & found.keys()
        told = (
            f"{name}: {found[name].cpu:.1f}" for name in sorted(peers) if found[name].rows == rows
        )
        made.append(
            {
                "name": f"stages of {min(names)[:-2]}, one process", "value": round(sum(taken.values()), 1),
                "unit": "s of a processor", "peer": ", ".join(told),
                "note": ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in taken.items()),
            }
        )  # fmt: skip
    return made


def _bundles(sizes: list[int]) -> list[dict[str, object]]:
    """All datasets in three formats, verified; how the processor time grows with the rows."""
    found: dict[int, Figures] = {}
    for rows in sizes:
        with sources(rows) as source:
            url = source.postgres or source.sqlite_url
            task = ours(source, url, "csv,jsonl,parquet", 2, "--verify", datasets="")
            found[rows] = in_turn({f"whole bundle of {rows:,}": task}, 1).popitem()[1]
    made: list[dict[str, object]] = [
        {
            "name": f"whole bundle, {rows:,} utterances, 3 formats, verified",
            "value": round(figures.wall, 1), "unit": "s",
            "note": f"{figures.rows:,} rows, {figures.cpu:.1f} s of processor time, "
            f"{figures.peak_mb:.0f} MB",
        }
        for rows, figures in found.items()
    ]  # fmt: skip
    small, large = sizes[0], sizes[-1]
    if small != large:
        growth = math.log(found[large].cpu / found[small].cpu)
        exponent = growth / math.log(found[large].rows / found[small].rows)
        made.append(
            {
                "name": "whole bundle, exponent of processor time", "value": round(exponent, 3),
                "unit": "", "note": f"{small:,} to {large:,}; target <= 1.10: {_met(exponent <= 1.10)}",
            }
        )  # fmt: skip
    return made


def _growth_of_memory(few: int, many: int) -> list[dict[str, object]]:
    """The largest process of an export of many rows against that of few."""
    peaks: dict[str, list[float]] = {}
    for rows in (few, many):
        with sources(rows) as source:
            tasks = {"sqlite parquet 2": ours(source, source.sqlite_url, "parquet", 2)}
            for name in ("csv", "jsonl", "parquet") if source.postgres else ():
                for workers in (1, 2):
                    task = ours(source, source.postgres, name, workers)
                    tasks[f"pg {name} {workers}"] = task
            for name, figures in in_turn(tasks, 1).items():
                peaks.setdefault(name, []).append(figures.peak_mb)
    return [
        {
            "name": f"memory of a process from {few:,} to {many:,} rows, {name}",
            "value": round(large), "unit": "MB", "ratio": round(large / small, 2),
            "peer": f"{few:,} rows: {small:.0f}",
            "note": f"target <= 1.15: {_met(large <= 1.15 * small)}",
        }
        for name, (small, large) in peaks.items()
    ]  # fmt: skip


def _met(met: bool) -> str:
    return "met" if met else "not met"
