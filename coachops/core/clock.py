"""The only source of time, so that tests can fix it and every timestamp is UTC."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator

UTC = dt.UTC

AHEAD = dt.timedelta(minutes=1)
"""Stored times further in the future than this were written before the clock was set back: whoever
waits until some time after them takes them for past, or the wait would last until the clock is there
again."""

_now: Callable[[], dt.datetime] = lambda: dt.datetime.now(UTC)  # noqa: TID251, E731 the one place


def now() -> dt.datetime:
    """The current instant, timezone-aware UTC, microsecond resolution."""
    return _now()


def today(zone: dt.tzinfo = UTC) -> dt.date:
    """The current date in `zone`."""
    return now().astimezone(zone).date()


def monotonic() -> float:
    """Seconds from an arbitrary origin, for durations."""
    return time.monotonic()


@contextlib.contextmanager
def frozen(at: dt.datetime) -> Iterator[None]:
    """Fix `now()` at `at` (timezone-aware) inside the block: for tests and reproducible seeds."""
    global _now  # noqa: PLW0603 one clock for the process is the purpose
    if at.tzinfo is None:
        raise ValueError("a frozen clock needs a timezone-aware instant")
    before = _now
    _now = lambda: at.astimezone(UTC)  # noqa: E731
    try:
        yield
    finally:
        _now = before
