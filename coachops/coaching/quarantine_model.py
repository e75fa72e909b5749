"""What the quarantine takes and shows: plain values, never live rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from coachops.coaching.transcripts.decoding import decode
from coachops.core.errors import CATALOGUE, CoachError
from coachops.core.text import clean, clean_line

Source = Literal["page", "api", "cli", "program"]
"""Where it came in."""

NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """What is to be kept.

    Attributes:
        kind: `transcript` or `roster` (whole files), `cue` or `roster_row` (a line of one).
        data: the bytes as they came, None where they are too many to keep.
        error: why it was refused.
        line: where in the file, from 1.
        held_on: day of the session that was asked for.
        transcript_id, position: of a refused line, its transcript and the place kept free there.
    """

    kind: Literal["transcript", "cue", "roster", "roster_row"]
    name: str
    data: bytes | None
    error: CoachError
    source: Source
    line: int | None = None
    size_bytes: int | None = None
    coach_id: uuid.UUID | None = None
    client_id: uuid.UUID | None = None
    held_on: dt.date | None = None
    transcript_id: uuid.UUID | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """An item as lists show it; `reason` and `next_step` are those of its error."""

    id: uuid.UUID
    kind: str
    state: str
    source: str
    name: str
    code: str
    reason: str
    next_step: str
    line: int | None
    size_bytes: int
    seen: int
    coach_id: uuid.UUID | None
    coach_name: str | None
    client_id: uuid.UUID | None
    client_name: str | None
    held_on: dt.date | None
    transcript_id: uuid.UUID | None
    created_at: dt.datetime
    resolved_at: dt.datetime | None

    @property
    def short(self) -> str:
        """The reason without the name of the file, for lists."""
        for lead in (f"Line {self.line} of {self.name} was ", f"{self.name} is ", f"{self.name} "):
            if self.reason.startswith(lead):
                rest = self.reason.removeprefix(lead)
                return rest[:1].upper() + rest[1:]
        return self.reason


@dataclass(frozen=True, slots=True)
class QuarantineDetail:
    """An item with its bytes, for who may read them; `content` None where they are not kept."""

    row: QuarantineRow
    content: bytes | None = field(repr=False)


def preview(detail: QuarantineDetail, characters: int) -> str | None:
    """What came in, as text; None where it is none, or not kept."""
    if detail.content is None or not detail.content:
        return None
    try:
        text, _ = decode(detail.content, detail.row.name, Counter())
    except CoachError:
        return None
    if detail.content.startswith(b"PK"):
        return None
    return clean(text).text[:characters]


def file_name(name: str) -> str:
    """The last part of a file's name as it may be shown and kept, never empty."""
    last = clean_line(name.replace("\\", "/").rpartition("/")[2])
    return last[-NAME_LIMIT:] or "file"


def error_of(code: str, details: Mapping[str, object]) -> CoachError:
    """The error that an item was refused with; of a code that is no longer known, a general one."""
    if code not in CATALOGUE:
        return CoachError("COACH-SYS-003", reason=code)
    return CoachError(code, **details)
