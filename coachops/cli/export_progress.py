"""How far an export is, in words and as a bar, wherever it is made."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from rich.progress import Progress

    from coachops.export.issued import Issued
    from coachops.export.progress import Far

_LOOK_EVERY = 0.5
"""Seconds between two looks at the record of an export that this process makes as a job."""


def in_words(rows: int, expected: int | None, size: int, eta: float | None) -> str:
    """Rows, bytes and the time that is left.

    Parameters:
        expected: rows in all; None or 0 where nobody counted yet.
        eta: in seconds; None where nothing tells.
    """
    of = f" of {expected:,}" if expected else ""
    left = "" if eta is None else f", about {eta:.0f} s to go"
    return f"{rows:,}{of} rows, {_size(size)}{left}"


def how_far(export: Issued) -> str:
    """The state of an export on record, with how far it is where it is being made."""
    if export.state != "running" or not export.parts:
        return export.state
    words = in_words(export.rows, export.rows_expected, export.bytes, export.eta_seconds)
    return f"running: part {export.parts_done} of {export.parts}, {words}"


def show_far(bars: Progress, task: Any, far: Far) -> None:
    """Move the bar of an export that this process makes without a job."""
    bars.update(
        task,
        total=far.rows_expected,
        completed=far.rows,
        description=in_words(far.rows, far.rows_expected, far.bytes, far.eta_seconds),
    )


def show_record(bars: Progress, task: Any, export: Issued) -> None:
    """Move the bar of an export by its record."""
    bars.update(
        task,
        total=export.rows_expected or None,
        completed=export.rows,
        description=how_far(export),
    )


@contextlib.contextmanager
def followed(bars: Progress, task: Any, look: Callable[[], Issued]) -> Iterator[None]:
    """Show the record of an export while the block makes it, and once more at the end."""
    ended = threading.Event()

    def show() -> None:
        with contextlib.suppress(CoachError):  # the database is away: who makes it tells that
            show_record(bars, task, look())

    def follow() -> None:
        while not ended.wait(_LOOK_EVERY):
            show()

    thread = threading.Thread(target=follow, name="export-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        show()


def _size(size: int) -> str:
    number, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
