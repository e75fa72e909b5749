"""The chain over the audit record: each row's hash covers the row and the hash before it.

Rows are sealed in the order in which they are found, a moment after their acts were committed: the
worker does it every minute, and whoever needs the head does it at once. Only the sealing waits
for the row of the head; acts never do (decision 6). The head goes into every backup, outside the
reach of who can write to the database: that is what makes a chain rewritten as a whole visible.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent, AuditHeadRow

GENESIS = "0" * 64
"""What the first row follows."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of the chain: the number of its last row and that row's hash."""

    seq: int
    hash: str

    def __str__(self) -> str:
        """As `audit verify --against` takes it."""
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> AuditHead:
        """The head written as `SEQ:HASH`. Raises COACH-SYS-002."""
        seq, _, digest = text.strip().partition(":")
        if not seq.isdecimal() or len(digest) != len(GENESIS):
            raise CoachError(
                "COACH-SYS-002", reason="A head looks like 120:<64 hex digits>, as a backup shows."
            )
        return cls(int(seq), digest.lower())


def link(prev: str, seq: int, digest: str) -> str:
    """The hash of a row from the hash before it, its number and its own digest."""
    return hashlib.sha256(f"{prev}:{seq}:{digest}".encode("ascii")).hexdigest()


def head(session: Session) -> AuditHead:
    """The end of the chain as this session sees it.

    Raises:
        CoachError: COACH-SYS-009 where the row of the head is gone.
    """
    row = session.get(AuditHeadRow, 1)
    if row is None:
        raise CoachError("COACH-SYS-009", reason="the row that holds its end is missing")
    return AuditHead(row.seq, row.hash)


def seal(database: Database) -> int:
    """Put every row that was committed so far into the chain; returns how many.

    Safe to call from any number of processes at once: the row of the head lets one seal at a time.

    Raises:
        CoachError: COACH-SYS-009 where the row of the head is gone.
    """
    total = 0
    while _anything_open(database):
        sealed = database.run(_seal_some)
        total += sealed
        if sealed < _AT_ONCE:
            break
    return total


def _anything_open(database: Database) -> bool:
    """A cheap look first: an idle worker must not take the write lock."""
    with database.read() as session:
        query = sa.select(sa.exists().where(AuditEvent.seq.is_(None)))
        return bool(session.scalar(query))


def _seal_some(session: Session) -> int:
    end = session.scalars(sa.select(AuditHeadRow).with_for_update()).one_or_none()
    if end is None:
        raise CoachError("COACH-SYS-009", reason="the row that holds its end is missing")
    rows = session.execute(
        sa.select(AuditEvent.id, AuditEvent.digest)
        .where(AuditEvent.seq.is_(None))
        .order_by(AuditEvent.id)
        .limit(_AT_ONCE)
    ).all()
    sealed: list[dict[str, object]] = []
    for event_id, digest in rows:
        prev, end.seq = end.hash, end.seq + 1
        end.hash = link(prev, end.seq, digest)
        sealed.append({"id": event_id, "seq": end.seq, "prev": prev, "hash": end.hash})
    if sealed:
        session.execute(sa.update(AuditEvent), sealed)
    return len(sealed)
