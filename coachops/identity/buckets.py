"""A limit on requests per caller: a bucket of tokens that fills at an even rate.

Kept in the memory of each API process, as the limit on failures is: several processes allow that many
times more in all. It guards the installation against a loop gone wild, and is no accounting.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from coachops.core import clock

_CALLERS = 10_000
"""Callers remembered at most; whoever was not seen for the longest time starts with a full bucket."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller.

    Attributes:
        allowed: whether this request may be answered.
        limit: requests in a minute.
        remaining: whole requests that may follow at once.
        wait: seconds until the next one is allowed, or until the bucket is full again.
    """

    allowed: bool
    limit: int
    remaining: int
    wait: int


class RequestLimit:
    """Token buckets by caller; used by any number of threads.

    Parameters:
        per_minute: requests of one caller in a minute, all of them at once too; 0: no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> Allowance | None:
        """Count a request of `caller`; None where there is no limit."""
        if not self.per_minute:
            return None
        now = clock.monotonic()
        with self._lock:
            level, then = self._buckets.get(caller, (float(self.per_minute), now))
            level = min(self.per_minute, level + max(0.0, now - then) * self._rate)
            allowed = level >= 1
            if allowed:
                level -= 1
            self._buckets[caller] = (level, now)
            self._buckets.move_to_end(caller)
            while len(self._buckets) > _CALLERS:
                self._buckets.popitem(last=False)
        missing = (self.per_minute - level) if allowed else (1 - level)
        return Allowance(
            allowed, self.per_minute, int(level), max(1, math.ceil(missing / self._rate))
        )
