"""Limits in the memory of one process: how often somebody asks, and what was noted a moment ago."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from coachops.core import clock

_KEYS = 10_000
"""So many are remembered; the oldest is forgotten first."""


class Pace:
    """A bucket of tokens per key: `burst` calls at once, then one each `seconds`."""

    def __init__(self, burst: int = 5, seconds: float = 1.0) -> None:
        self._burst, self._seconds = float(burst), seconds
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_for(self, key: Hashable) -> float:
        """Take a token: 0 where there is one, else the seconds until there is."""
        now = clock.monotonic()
        with self._lock:
            left, at = self._left.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - at) / self._seconds)
            taken = left >= 1
            self._left[key] = (left - 1 if taken else left, now)
            if len(self._left) > _KEYS:
                self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) * self._seconds


class Lately:
    """What happened within the last `seconds`."""

    def __init__(self, seconds: float = 600.0) -> None:
        self._seconds = seconds
        self._at: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> bool:
        """Whether `noted` was called for it lately."""
        with self._lock:
            at = self._at.get(key)
        return at is not None and clock.monotonic() - at < self._seconds

    def noted(self, key: Hashable) -> None:
        """It happened now."""
        with self._lock:
            self._at[key] = clock.monotonic()
            self._at.move_to_end(key)
            if len(self._at) > _KEYS:
                self._at.popitem(last=False)
