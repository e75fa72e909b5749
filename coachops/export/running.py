"""Writing all parts of a plan, in this process or in several."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from coachops.db import Database
from coachops.export.parts import Privacy, Progress, order_of, quiet, write_part
from coachops.export.plan import ExportSpec, Part, PartResult
from coachops.export.snapshot import pool_of, sqlite_moment

_Write = Callable[[Part], PartResult]


def write_parts(
    database: Database,
    spec: ExportSpec,
    parts: Iterable[Part],
    folder: Path,
    token: str,
    *,
    privacy: Privacy | None = None,
    progress: Progress = quiet,
    failed: Callable[[], None] = lambda: None,
) -> list[PartResult]:
    """Write every part below `folder`; the results come in the order of the plan.

    Parameters:
        parts: of the plan; where several processes write, the long ones first, so that none is left
            alone with the longest. They may come while others are being written.
        token: of the moment to read (`open_moment`), which may have processes that write.
        progress: called with the dataset and how many more rows were written.
        failed: called as soon as a part could not be written, so that no more of them need come.

    Raises:
        CoachError: as `write_part`; then the other processes have been ended too.
    """
    lock = threading.Lock()

    def told(name: str, rows: int) -> None:
        with lock:
            progress(name, rows)

    with _writing(database, spec, folder, token, privacy, told) as (write, at_once, stop):

        def watched(part: Part) -> PartResult:
            try:
                return write(part)
            except BaseException:
                failed()
                raise

        return _all(parts, watched, at_once, stop)


@contextlib.contextmanager
def _writing(
    database: Database,
    spec: ExportSpec,
    folder: Path,
    token: str,
    privacy: Privacy | None,
    progress: Progress,
) -> Iterator[tuple[_Write, int, Callable[[], None]]]:
    """How a part is written, how many may be at once, and how all of them are stopped."""

    def here(part: Part) -> PartResult:
        return write_part(database, spec, part, folder, token, privacy=privacy, progress=progress)

    pool = pool_of(token)
    if pool is None:
        if database.is_sqlite:
            sqlite_moment(token)  # refuses one that is not held
        yield here, 1, _nothing
        return

    def there(part: Part) -> PartResult:
        order = order_of(spec, part, folder, sqlite=database.is_sqlite, privacy=privacy)
        return pool.write(order, token=token, progress=progress)

    yield there, pool.count, pool.stop


def _nothing() -> None:
    """One thread in this process stops by its own exception."""


def _all(
    parts: Iterable[Part], write: _Write, at_once: int, stop: Callable[[], None]
) -> list[PartResult]:
    if at_once == 1:
        return sorted(map(write, parts), key=lambda result: result.number)
    with ThreadPoolExecutor(at_once, "export") as threads:
        try:
            waiting = [threads.submit(write, part) for part in parts]
            wait(waiting, return_when=FIRST_EXCEPTION)
            done = [future.result() for future in waiting if future.done()]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
    return sorted(done, key=lambda result: result.number)
