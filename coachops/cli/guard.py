"""Ends the processes of `coachops serve` where `serve` itself is killed: `python -m coachops.cli.guard`.

Who is killed by SIGKILL runs no line of its own any more, but its end of our standard input closes,
on every system. Lines on standard input: `+PID` a process was started, `-PID` it has ended. At the
end of the input whoever is left is asked to stop and, when that takes too long, killed with its
group. A clean stop leaves nobody, so that nothing happens.

Nothing heavy is imported: it waits all the time beside the suite.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable

from coachops.core import clock

STOP_SECONDS = 6.0
"""After SIGTERM; then SIGKILL, so that nobody is left ten seconds after `serve`."""


def main() -> None:
    """Follow standard input to its end, then end who is left."""
    end(follow(sys.stdin))


def follow(lines: Iterable[str]) -> set[int]:
    """The processes that are left when `lines` end; what is no such line is passed over."""
    left: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if not number.isdecimal():
            continue
        if sign == "+":
            left.add(int(number))
        elif sign == "-":
            left.discard(int(number))
    return left


def end(pids: Iterable[int], patience: float = STOP_SECONDS) -> None:
    """End processes that lead a group of their own; others (the number is in use again) are spared.

    Parameters:
        patience: seconds for a clean stop.
    """
    running = {pid for pid in pids if _leads(pid)}
    for pid in running:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    deadline = clock.monotonic() + patience
    while any(map(_leads, running)) and clock.monotonic() < deadline:
        threading.Event().wait(0.1)  # they are not our children: there is nothing to wait on
    for pid in running:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


if __name__ == "__main__":
    main()
