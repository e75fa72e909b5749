"""A limit on failed tries per address: who guesses passwords or tokens has to wait.

Kept in the memory of each process that signs people in: nothing is written for an attacker, and a
restart forgives. Durations come from the monotonic clock, so a jump of the wall clock locks nobody out.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict, deque

from coachops.core import clock
from coachops.core.errors import CoachError

FAILURES = 20
WINDOW = 600.0
"""An address may fail FAILURES times in WINDOW seconds: an office behind one address may, too."""

_ADDRESSES = 10_000
"""Addresses remembered at most; the one that failed longest ago is forgotten first."""


class FailureLimit:
    """Counts failures by address; used by any number of threads.

    Parameters:
        failures: allowed in `window` seconds.
    """

    def __init__(self, failures: int = FAILURES, window: float = WINDOW) -> None:
        self._failures = failures
        self._window = window
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Refuse an address that has used up its failures; "" (unknown) is never refused.

        Raises:
            CoachError: COACH-IDN-014 with the seconds to wait.
        """
        key = _key(address)
        now = clock.monotonic()
        with self._lock:
            times = self._seen.get(key)
            if not key or times is None or len(times) < self._failures:
                return
            wait = times[0] + self._window - now
        if wait > 0:
            raise CoachError("COACH-IDN-014", minutes=math.ceil(wait / 60), retry_after=wait)

    def failed(self, address: str) -> None:
        """Count a failure."""
        key = _key(address)
        if not key:
            return
        with self._lock:
            times = self._seen.setdefault(key, deque(maxlen=self._failures))
            times.append(clock.monotonic())
            self._seen.move_to_end(key)
            while len(self._seen) > _ADDRESSES:
                self._seen.popitem(last=False)


def _key(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: a household has that many of them."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
