"""How long tests wait: one place, so that no test has a limit of its own that a busy machine breaks.

What must happen is waited for until it does; a limit only says when a failing test gives up, so it
costs nothing to be generous. The machine may stand still for a minute at any line. So limits of the
product that a test is not about are lengthened too (`lengthen`); tests that are about them carry the
mark `limits`, or use the pair of servers, which is there to be cut off.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

PATIENCE = 240.0
"""Seconds to wait for what a process, a thread or a server must bring about."""

PAGE = PATIENCE * 1000
"""The same in milliseconds, for pages in a browser."""

WHOLE = 900.0
"""Seconds for all of a program that others wrote, or of a command that does much."""

LOOK_EVERY = 0.05
"""Seconds between two looks at what has no signal of its own."""


def until(
    holds: Callable[[], object], *, seconds: float = PATIENCE, said: Callable[[], str] = str
) -> None:
    """Wait for what another thread or process will bring about and has no other signal for.

    At least one look is taken after the limit: this process may be the one that stood still.

    Parameters:
        said: what the message of a failure tells, such as the end of a log.
    """
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends and not holds():
            raise AssertionError(f"it did not happen within {seconds:.0f} s\n{said()}")
        time.sleep(LOOK_EVERY)


def descendants(process: psutil.Process | int | None = None) -> list[psutil.Process]:
    """The processes below one (None: this one) that still run; any may end while they are looked at."""
    try:
        root = process if isinstance(process, psutil.Process) else psutil.Process(process)
        return [each for each in root.children(recursive=True) if running(each)]
    except psutil.Error:
        return []


def command_line(process: psutil.Process) -> list[str]:
    """The words that a process was started with; none once it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def running(process: psutil.Process) -> bool:
    """Whether a process runs: one that ended and was not waited for does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


_LONG: dict[str, Any] = {
    "coachops.webhooks.sending.DEADLINE": PATIENCE,
    "coachops.webhooks.sending.CONNECT": PATIENCE,
    "coachops.coaching.messages.mailers.SmtpMailer.__init__.__kwdefaults__": {
        "context": None,
        "step_timeout": PATIENCE,
        "final_timeout": PATIENCE,
    },
    "coachops.ai.shared._PATIENCE": PATIENCE,
    "coachops.buckets._CONNECT_SECONDS": PATIENCE,
    "coachops.buckets._READ_SECONDS": PATIENCE,
    "coachops.cli.checks.machine.CONNECT_SECONDS": PATIENCE,
    "coachops.cli.checks.machine.AI_SECONDS": PATIENCE,
    "coachops.cli.checks.model.run_all.__defaults__": (PATIENCE,),
    "coachops.db.integrity.QUICK_SECONDS": PATIENCE,
    "coachops.export.workers.pool._PATIENCE": PATIENCE,
    "coachops.jobs.places.ANSWER_WITHIN": PATIENCE,
    "coachops.privacy.compacting.compact.__defaults__": (PATIENCE,),
    "coachops.privacy.compacting.compact_file.__defaults__": (PATIENCE,),
    "coachops.db.engine.PING_LIMIT_SECONDS": PATIENCE,
    "coachops.db.postgres.SILENCE_SECONDS": PATIENCE,
    "coachops.db.engine._PG_OPTIONS": "-c statement_timeout=600s "
    "-c idle_in_transaction_session_timeout=600s -c lock_timeout=240s",
    "coachops.db.engine._PG_LIMITS": {"connect_timeout": 240, "tcp_user_timeout": 240_000},
}
"""Limits of the product and what they are in tests that are not about them."""


@functools.cache
def find_limits() -> list[tuple[Any, str, Any, Any]]:
    """Where each limit of `_LONG` stands: its owner, its name, its values in the product and in tests."""
    from coachops.db import transaction
    from coachops.db.engine import Limits
    from coachops.jobs import store

    found: list[tuple[Any, str, Any, Any]] = []
    for path, value in _LONG.items():
        owner, names = _module(path)
        for each in names[:-1]:
            owner = getattr(owner, each)
        # a limit that was renamed fails here: it must not be forgotten
        found.append((owner, names[-1], getattr(owner, names[-1]), value))

    def patient(
        pool: int = 5,
        overflow: int = 5,
        pool_wait: float = Limits().pool_wait,
        wait: float = Limits().wait,
    ) -> Limits:
        """Limits as they are, but for waits that nobody chose."""
        return Limits(
            pool,
            overflow,
            PATIENCE if pool_wait == Limits().pool_wait else pool_wait,
            PATIENCE if wait == Limits().wait else wait,
        )

    def of_the_queue(pool: int, overflow: int, pool_wait: float) -> Limits:
        """Limits of the queue's store, which chooses its wait itself."""
        return Limits(pool, overflow, max(pool_wait, PATIENCE))

    return [
        *found,
        (transaction, "Limits", Limits, patient),
        (store, "Limits", Limits, of_the_queue),
    ]


def _module(path: str) -> tuple[Any, list[str]]:
    words = path.split(".")
    for end in range(len(words) - 1, 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(".".join(words[:end])), words[end:]
    raise AssertionError(path)


@contextlib.contextmanager
def lengthened() -> Iterator[None]:
    """Inside the block the product's limits are long, in commands that are forked in it, too."""
    lengthen()
    try:
        yield
    finally:
        for owner, name, value, _ in find_limits():
            setattr(owner, name, value)
        _now.clear()


def lengthen() -> None:
    """Make the limits of this process long for good."""
    for owner, name, _, value in find_limits():
        setattr(owner, name, value)
    _now.add("long")


def are_long() -> bool:
    """Whether the limits of this process are long now."""
    return bool(_now)


_now: set[str] = set()
