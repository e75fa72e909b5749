"""Pytest's side of the fault matrix and of long runs: which rows ran and how, what runs only then."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.matrix import MATRIX

LONG = "COACHOPS_FAULT_RUNS"
"""`long` in the environment of the test run: random kills and failovers as often as the figures ask,
and the tests marked `long`, of whose matter the suite has a shorter form."""
REPORT = "COACHOPS_FAULT_REPORT"
"""Folder for one line of JSON per test and process; `make faults` reads it."""

ROWS = "COACHOPS_FAULT_ROWS"
"""Numbers of the rows to run, with commas; empty: all tests."""

LONG_RUN = os.environ.get(LONG) == "long"
"""Whether this is a long run."""
_FOLDER = os.environ.get(REPORT)


def long_too(short: Sequence[object], long: Sequence[object]) -> list[Any]:
    """Parameters of a test or a fixture: those of the suite, and in long runs the further ones, too."""
    return [*short, *(pytest.param(each, marks=pytest.mark.long) for each in long)]


@pytest.fixture
def fault_runs() -> Callable[[int, int], int]:
    """Chooses how often a fault is injected: `fault_runs(3, 100)` is 3 in the suite, 100 in `make faults`."""
    return lambda short, long: long if LONG_RUN else short


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Write down the result of a test that claims rows of the matrix."""
    report: pytest.TestReport = yield  # type: ignore[misc, assignment]  # the protocol of wrappers
    rows = sorted({row for mark in item.iter_markers("faults") for row in mark.args})
    if rows and _FOLDER and (report.when == "call" or report.outcome != "passed"):
        line = {"test": item.nodeid, "rows": rows, "outcome": report.outcome}
        with (Path(_FOLDER) / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    return report  # type: ignore[return-value]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse claims to rows that the matrix does not have; keep what was asked for."""
    chosen = {int(row) for row in os.environ.get(ROWS, "").split(",") if row}
    folder = config.invocation_params.dir
    named = [
        ((folder / path).resolve(), test.partition("[")[0])
        for path, _, test in (word.partition("::") for word in config.args)
        if test
    ]
    kept, left = [], []
    for item in items:
        rows = {row for mark in item.iter_markers("faults") for row in mark.args}
        if unknown := rows - MATRIX.keys():
            raise pytest.UsageError(f"{item.nodeid} claims unknown faults {sorted(unknown)}")
        long = item.get_closest_marker("long") is not None
        at_all = (
            LONG_RUN
            or not long
            or any(
                item.path == path and item.nodeid.partition("::")[2].startswith(test)
                for path, test in named
            )
        )
        (kept if at_all and (not chosen or rows & chosen) else left).append(item)
    claimed = {row for item in kept for mark in item.iter_markers("faults") for row in mark.args}
    whole = config.args_source is config.ArgsSource.TESTPATHS and not chosen
    if whole and (missing := MATRIX.keys() - claimed):
        raise pytest.UsageError(f"no test of the suite injects the faults {sorted(missing)}")
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
