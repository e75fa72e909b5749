"""Writing all parts of a plan, in this process or in several."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coachops.db import Database
from coachops.export.parts import Privacy, Progress, quiet, write_part
from coachops.export.plan import Part, PartResult, Plan
from coachops.export.snapshot import sqlite_moment
from coachops.export.workers.pool import Pool

_Write = Callable[[Part], PartResult]


def write_parts(
    database: Database,
    plan: Plan,
    folder: Path,
    token: str,
    *,
    workers: int = 1,
    privacy: Privacy | None = None,
    progress: Progress = quiet,
) -> list[PartResult]:
    """Write every part of `plan` below `folder`; the results come in the order of the plan.

    Parameters:
        token: of the moment to read (`open_moment`).
        workers: processes that write at the same time on PostgreSQL; on SQLite the moment has them.
        progress: called with the dataset and how many more rows were written.

    Raises:
        CoachError: as `write_part`; then the other processes have been ended too.
    """
    lock = threading.Lock()

    def told(name: str, rows: int) -> None:
        with lock:
            progress(name, rows)

    with _writing(database, plan, folder, token, workers, privacy, told) as (write, at_once):
        return _all(plan.parts, write, at_once)


@contextlib.contextmanager
def _writing(
    database: Database,
    plan: Plan,
    folder: Path,
    token: str,
    workers: int,
    privacy: Privacy | None,
    progress: Progress,
) -> Iterator[tuple[_Write, int]]:
    """How a part is written, and how many may be at once."""

    def here(part: Part) -> PartResult:
        return write_part(database, plan, part, folder, token, privacy=privacy, progress=progress)

    if database.is_sqlite:
        pool = sqlite_moment(token).pool
        yield here, 1 if pool is None else pool.count
        return
    at_once = min(workers, len(plan.parts))
    if at_once < 2:
        yield here, 1
        return
    with Pool(at_once, url=database.url) as pool:

        def there(part: Part) -> PartResult:
            return pool.write_part(
                plan, part, folder, token=token, privacy=privacy, progress=progress
            )

        yield there, at_once


def _all(parts: Sequence[Part], write: _Write, at_once: int) -> list[PartResult]:
    if at_once == 1:
        return [write(part) for part in parts]
    # long ones first, so that no process is left alone with the longest
    order = sorted(parts, key=lambda part: -part.rows)
    with ThreadPoolExecutor(at_once, "export") as threads:
        waiting = [threads.submit(write, part) for part in order]
        try:
            done = [future.result() for future in waiting]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(done, key=lambda result: result.number)
