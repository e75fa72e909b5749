"""What could not be accepted: codes COACH-QRN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS: tuple[ErrorSpec, ...] = (
    ErrorSpec(
        "COACH-QRN-001",
        Kind.CONFLICT,
        "This item does not wait any more: it was {state}.",
        "Look at the list again; nothing is left to do for this one.",
        why="Somebody else replayed or discarded it, or it was kept longer than the set time.",
    ),
    ErrorSpec(
        "COACH-QRN-002",
        Kind.INVALID,
        "The correction cannot be taken: {reason}.",
        "Correct it so that it reads as one whole line or file of its kind, then replay it again.",
        why="It has the same mistake still, or holds more or less than what was refused.",
    ),
    ErrorSpec(
        "COACH-QRN-003",
        Kind.INVALID,
        "The file itself is not in the quarantine ({reason}).",
        "Replay this item with a corrected copy of the file.",
        why="It was larger than the limit, so only its name and the reason were kept.",
    ),
)
