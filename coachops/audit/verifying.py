"""Reading the chain again: which row was edited, deleted, inserted or moved.

What each check finds: the digest of a row's content - an edited row; a missing number - deleted rows;
`prev` against the hash before it - a row moved, inserted or sealed anew; the row of the head, and the
heads kept in backups - a tail cut off, or a chain rewritten as a whole.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from coachops.audit.chain import GENESIS, AuditHead, link
from coachops.audit.recording import digest_of
from coachops.db import Database
from coachops.db.models import AuditEvent, AuditHeadRow

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AuditBreak:
    """A place where the record is not as it was written.

    Attributes:
        kind: `edited`, `deleted`, `moved`, `unknown` (not written by the suite), `head`, `cut`
            or `rewritten`.
        seq: number in the chain; None for a row that was not sealed yet.
        event_id: the row, where there is one.
        text: what is wrong, in words.
    """

    kind: str
    seq: int | None
    event_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the verification found: `checked` sealed rows, `waiting` ones not yet in the chain."""

    checked: int
    waiting: int
    head: AuditHead | None
    breaks: tuple[AuditBreak, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.breaks

    @property
    def first(self) -> AuditBreak | None:
        """The break with the lowest number."""
        return self.breaks[0] if self.breaks else None


def verify(
    database: Database, *, against: Iterable[AuditHead] = (), newest: int | None = None
) -> AuditReport:
    """Compare every row with its seal and its neighbours, and the chain with known heads.

    Parameters:
        against: heads kept elsewhere, such as in backups.
        newest: look at this many rows at the end only (a quick check); None looks at all.
    """
    with database.read() as session:
        end = session.get(AuditHeadRow, 1)
        known = AuditHead(end.seq, end.hash) if end is not None else None
        start = max(0, known.seq - newest) if known is not None and newest is not None else 0
        walk = _Walk(start, {head.seq: head.hash for head in against if head.seq > start})
        sealed = _query(database).where(AuditEvent.seq > start).order_by(AuditEvent.seq)
        for row in session.execute(sealed.execution_options(yield_per=_AT_ONCE)):
            walk.step(row)
        walk.close(known)
        waiting = 0
        for row in session.execute(_query(database).where(AuditEvent.seq.is_(None))):
            waiting += 1
            if row.digest != _digest(row):
                text = "was not written by the suite, or was edited"
                walk.add("unknown", None, str(row.id), text)
    return AuditReport(walk.checked, waiting, known, tuple(walk.breaks))


def _query(database: Database) -> sa.Select[Any]:
    """All columns. On SQLite as plain text: any value can have been put there by hand."""
    columns: list[Any] = [
        AuditEvent.seq, AuditEvent.digest, AuditEvent.prev, AuditEvent.hash, AuditEvent.action,
        AuditEvent.subject_type, AuditEvent.subject_id,
    ]  # fmt: skip
    for column in (AuditEvent.id, AuditEvent.at, AuditEvent.actor_id, AuditEvent.details):
        plain = sa.type_coerce(column, sa.String).label(column.key)
        columns.append(plain if database.is_sqlite else column)
    return sa.select(*columns)


def _digest(row: Any) -> str | None:
    """The digest of what stands in the row now; None where that is no event at all."""
    event_id, at, actor_id, details = row.id, row.at, row.actor_id, row.details
    try:
        if isinstance(event_id, str):
            event_id = uuid.UUID(event_id)
            at = dt.datetime.fromisoformat(at)
            actor_id = None if actor_id is None else uuid.UUID(actor_id)
            details = json.loads(details)
        return digest_of(
            event_id, at, actor_id, row.action, row.subject_type, row.subject_id, details
        )
    except (TypeError, ValueError, AttributeError):
        return None


class _Walk:
    """Steps through the chain in the order of its numbers, and notes what does not fit."""

    def __init__(self, start: int, heads: dict[int, str]) -> None:
        self.breaks: list[AuditBreak] = []
        self.checked = 0
        self._seq = start
        self._hash: str | None = GENESIS if start == 0 else None
        self._heads = heads

    def add(self, kind: str, seq: int | None, event_id: str | None, text: str) -> None:
        """Note a break."""
        name = f"row {seq}" if seq is not None else f"the row with the id {event_id}"
        self.breaks.append(AuditBreak(kind, seq, event_id, f"{name} {text}"))

    def step(self, row: Any) -> None:
        """Look at the next row."""
        seq, event_id = row.seq, str(row.id)
        self.checked += 1
        if not isinstance(seq, int):
            self.add("moved", None, event_id, "has a number that is none")
            return
        if seq != self._seq + 1:
            last = f" up to row {seq - 1}" if seq - 1 > self._seq + 1 else ""
            self.add("deleted", self._seq + 1, None, f"is missing{last}")
        elif self._hash is not None and row.prev != self._hash:
            self.add("moved", seq, event_id, "does not follow the row before it")
        if row.digest != _digest(row):
            self.add("edited", seq, event_id, "was edited after it was written")
        elif row.hash != link(str(row.prev), seq, row.digest):
            self.add("edited", seq, event_id, "has a seal that does not belong to it")
        kept = self._heads.pop(seq, None)
        if kept is not None and kept != row.hash:
            self.add("rewritten", seq, event_id, "differs from the head that a backup holds")
        self._seq, self._hash = seq, row.hash

    def close(self, known: AuditHead | None) -> None:
        """Compare the end with the row of the head and with heads beyond it."""
        if known is None:
            self.add("head", self._seq, None, "is the last, but the end of the chain is not kept")
        elif known.seq > self._seq:
            self.add("deleted", self._seq + 1, None, f"is missing up to row {known.seq}")
        elif known.seq < self._seq or (self._hash is not None and known.hash != self._hash):
            self.add(
                "head", self._seq, None, "is the last, but the end of the chain says otherwise"
            )
        for seq in sorted(self._heads):
            self.add("cut", seq, None, "is in a backup, but the chain ends before it")
