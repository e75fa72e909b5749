"""The id of what is being done now: one per HTTP request, command, job and event of a page.

It stands beside every error a person sees and in every line of the log, so that the two can be
brought together. A surface opens it with `using`; everything below only reads `current_id`.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar

from coachops.core import clock, ids

HEADER = "X-Request-ID"
"""HTTP header in which a caller may send its own id, and in which every answer carries one."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_current: ContextVar[str] = ContextVar("coachops_request_id", default="")


def current_id() -> str:
    """The id of the current request, or "" outside of one."""
    return _current.get()


def new_request_id() -> str:
    """A new id: 32 hex digits that sort by time (the hex of a UUIDv7)."""
    return ids.uuid7_from(int(clock.now().timestamp() * 1000), secrets.randbits(74)).hex


def accepted(text: str | None) -> str | None:
    """`text` where it may serve as an id, else None.

    8 to 64 letters, digits, `.`, `_` and `-`: ids of others are written into logs and pages.
    """
    return text if text is not None and _WELL_FORMED.fullmatch(text) else None


@contextlib.contextmanager
def using(request_id: str | None = None) -> Iterator[str]:
    """Give the block an id: `request_id` where it is well formed, else a new one."""
    chosen = accepted(request_id) or new_request_id()
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)
