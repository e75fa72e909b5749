"""What other systems write: codes COACH-INB-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-INB-001",
        Kind.CONFLICT,
        "The {what} '{ref}' was changed here since your last write: {names}.",
        "Read it and take over what stands there, or send yours with If-Match (the version you read) "
        "or with overwrite=true.",
        why="A person or another system changed the same fields, or wrote the row before you ever did.",
    ),
    ErrorSpec(
        "COACH-INB-002",
        Kind.CONFLICT,
        "The condition for writing this {what} does not hold: {reason}.",
        "Read it as it is now, then decide again.",
        why="If-Match or If-None-Match named a state that the row is not in (any more).",
    ),
    ErrorSpec(
        "COACH-INB-003",
        Kind.INVALID,
        "There is no {what} '{ref}'.",
        "Send that one first, by its external id, then this again.",
        why="A row names its parents by external id, and they must be there before it.",
    ),
    ErrorSpec(
        "COACH-INB-004",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and send it again.",
        why="The days of an engagement, a session or a coach contradict each other.",
    ),
    ErrorSpec(
        "COACH-INB-005",
        Kind.CONFLICT,
        "{field}: {reason}.",
        "Correct it in the system that sent it; two records may be one person.",
        why="The value belongs to another row, or is one that never changes.",
    ),
    ErrorSpec(
        "COACH-INB-006",
        Kind.CONFLICT,
        "The session '{ref}' cannot be cancelled: it has a {what}.",
        "Leave it as it is; what was said is kept.",
        why="A session that left words, letters or ratings took place.",
    ),
    ErrorSpec(
        "COACH-INB-007",
        Kind.INVALID,
        "This Idempotency-Key was used for another request.",
        "Use a new key for each request, and the same key only to repeat one.",
        why="Two requests that differ came under one key within two days.",
    ),
    ErrorSpec(
        "COACH-INB-008",
        Kind.INVALID,
        "The batch cannot be imported: {reason}.",
        "Send one JSON object a line (NDJSON in UTF-8), at most 10,000 lines and 20 MB at once.",
        why="It was cut, holds another format, or is larger than one batch may be.",
    ),
    ErrorSpec(
        "COACH-INB-009",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the line and send it again; the other lines are done.",
        why="The line is no JSON object of a known type, or a value is missing or of the wrong form.",
    ),
)
