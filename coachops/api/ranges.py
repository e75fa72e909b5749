"""Which bytes of a file a request asks for (RFC 9110: Range, If-Range, If-None-Match)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from coachops.core.errors import CoachError

_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


def wanted_range(headers: Mapping[str, str], size: int, etag: str) -> tuple[int, int] | None:
    """First byte and the one after the last; None: the whole file.

    What is not one range of bytes is ignored, as the standard allows; so is a range that belongs to
    another content than `etag` (If-Range).

    Raises:
        CoachError: COACH-EXP-046 where the range begins behind the end.
    """
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or found[1] == found[2] == "":
        return None
    only_if = headers.get("if-range")
    if only_if is not None and only_if.strip() != etag:
        return None
    if not found[1]:
        last = int(found[2])
        if last == 0 or size == 0:
            raise CoachError("COACH-EXP-046", size=size)
        return max(0, size - last), size
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None  # backwards: not a range
    end = int(found[2]) + 1 if found[2] else size
    if start >= size:
        raise CoachError("COACH-EXP-046", size=size)
    return start, min(end, size)


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the caller holds this very content already (If-None-Match)."""
    given = headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in given.split(",")}
    return "*" in known or etag in known
