"""What could not be accepted: kept with its reason, to be looked at, corrected and replayed.

Three things come here: a whole file that was refused, a line of a transcript that was reported while
the rest was imported, and a row of a roster. They wait until somebody replays or discards them, at
most `quarantine_days`; then the bytes go and the row says so. Who may see an item: whoever may read
the sessions of its coach (admins those of a roster); who may act on it: whoever may change them.
Replaying is in `quarantine_replay`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from coachops import audit
from coachops.coaching.quarantine_model import (
    QuarantineDetail,
    QuarantineRow,
    Refused,
    Source,
    error_of,
    file_name,
    preview,
)
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import Client, Coach, QuarantineItem
from coachops.telemetry import record_activity

WAITING_LIMIT = 500
"""Files of one coach whose bytes are kept at a time; of more only the name and the reason are."""


def keep(database: Database, actor: Actor, refused: Refused) -> uuid.UUID:
    """Keep something that was refused; the same thing again is the same item, counted.

    Returns the item's id.

    Raises:
        CoachError: COACH-IDN-003 where the actor may not bring things for that coach.
    """
    if refused.coach_id is None:
        actor.require_role("admin", "service", what="the roster")
    elif not actor.may_change(refused.coach_id):
        raise CoachError("COACH-IDN-003", what="transcripts of other coaches")

    def work(session: Session) -> uuid.UUID:
        return keep_in(session, actor, [refused])[0]

    try:
        return database.run(work)
    except sa.exc.IntegrityError:  # the same thing at the same moment: the other one is kept
        return database.run(work)


def keep_in(session: Session, actor: Actor, refused: Iterable[Refused]) -> list[uuid.UUID]:
    """Keep things in an open transaction, that of the import they belong to; ids in their order."""
    made: list[uuid.UUID] = []
    now = clock.now()  # one for all, so that lines of a file are listed in their order
    for each in refused:
        content = each.data
        digest = hashlib.sha256(content if content is not None else each.name.encode())
        dedupe = _dedupe(each, digest.hexdigest())
        # the lines of a transcript that was not there before cannot be known
        known = None if each.kind == "cue" else _waiting(session, dedupe)
        if known is not None:
            known.seen = QuarantineItem.seen + 1  # in the database: others count at the same time
            known.code, known.details = each.error.code, _details(each.error)
            made.append(known.id)
            continue
        if content is not None and each.kind in {"transcript", "roster"} and _full(session, each):
            content = None
        size = len(each.data) if each.data is not None else each.size_bytes or 0
        item = QuarantineItem(
            id=ids.new_id(),
            created_at=now,
            kind=each.kind,
            state="waiting",
            source=each.source,
            name=file_name(each.name),
            code=each.error.code,
            details=_details(each.error),
            line=each.line,
            content=content,
            size_bytes=size,
            sha256=digest.hexdigest(),
            dedupe=dedupe,
            seen=1,
            coach_id=each.coach_id,
            client_id=each.client_id,
            held_on=each.held_on,
            transcript_id=each.transcript_id,
            position=each.position,
            brought_by=actor.user_id,
        )
        session.add(item)
        made.append(item.id)
        if each.kind != "cue":  # lines of one file are told with the file's own record
            session.flush()
            audit.record(
                session, actor, "quarantine.kept", "quarantine", item.id,
                kind=each.kind, code=each.error.code,
            )  # fmt: skip
            record_activity(
                session, actor, "quarantine.kept", coach_id=each.coach_id, subject_id=item.id
            )
    session.flush()
    return made


def list_items(
    database: Database,
    actor: Actor,
    *,
    states: Iterable[str] = ("waiting",),
    kinds: Iterable[str] | None = None,
    transcript_id: uuid.UUID | None = None,
    limit: int = 200,
) -> list[QuarantineRow]:
    """Items that the actor may see, the newest first."""
    query = (
        _rows()
        .where(QuarantineItem.state.in_(tuple(states)), *_visible(actor))
        .order_by(QuarantineItem.created_at.desc(), QuarantineItem.line, QuarantineItem.id)
        .limit(limit)
    )
    if kinds is not None:
        query = query.where(QuarantineItem.kind.in_(tuple(kinds)))
    if transcript_id is not None:
        query = query.where(QuarantineItem.transcript_id == transcript_id)
    with database.read() as session:
        return [_row(item, coach, client) for item, coach, client in session.execute(query)]


def count_waiting(database: Database, actor: Actor) -> int:
    """How many items wait that the actor may see."""
    query = sa.select(sa.func.count(QuarantineItem.id)).where(
        QuarantineItem.state == "waiting", *_visible(actor)
    )
    with database.read() as session:
        return session.scalar(query) or 0


def get(database: Database, actor: Actor, item_id: uuid.UUID) -> QuarantineDetail:
    """An item with its bytes.

    Raises:
        CoachError: COACH-CCH-001 where there is none that the actor may see.
    """
    with database.read() as session:
        found = session.execute(
            _rows()
            .where(QuarantineItem.id == item_id, *_visible(actor))
            .options(undefer(QuarantineItem.content))
        ).first()
        if found is None:
            raise CoachError("COACH-CCH-001", what="quarantined item", ref=item_id)
        item, coach, client = found
        return QuarantineDetail(_row(item, coach, client), item.content)


def is_whole(database: Database, item_id: uuid.UUID) -> bool:
    """Whether the bytes of an item are kept, too: of what is too large or too many only the name is."""
    query = sa.select(QuarantineItem.content.is_not(None)).where(QuarantineItem.id == item_id)
    with database.read() as session:
        return bool(session.scalar(query))


def discard(database: Database, actor: Actor, item_id: uuid.UUID) -> None:
    """Throw an item away: its bytes are deleted, the row says who did it.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-QRN-001 where it does not wait any more.
    """

    def work(session: Session) -> None:
        resolve(session, actor, open_item(session, actor, item_id), "discarded")

    database.run(work)


def expire(database: Database, days: int) -> int:
    """Delete the bytes of items older than `days`; what waited is marked. Returns how many."""
    before = clock.now() - dt.timedelta(days=days)

    def work(session: Session) -> int:
        old = QuarantineItem.created_at < before
        waited = session.execute(
            sa.update(QuarantineItem)
            .where(old, QuarantineItem.state == "waiting")
            .values(state="expired", resolved_at=clock.now(), content=None, updated_at=clock.now())
            .execution_options(synchronize_session=False)
        )
        rest = session.execute(
            sa.update(QuarantineItem)
            .where(old, QuarantineItem.content.is_not(None))
            .values(content=None, updated_at=clock.now())
            .execution_options(synchronize_session=False)
        )
        return int(waited.rowcount + rest.rowcount)  # type: ignore[attr-defined]  # of an UPDATE

    return database.run(work)


def open_item(session: Session, actor: Actor, item_id: uuid.UUID) -> QuarantineItem:
    """A waiting item, locked, for who may act on it.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003, COACH-QRN-001.
    """
    item = session.scalars(
        sa.select(QuarantineItem)
        .where(QuarantineItem.id == item_id, *_visible(actor))
        .options(undefer(QuarantineItem.content))
        .with_for_update()
    ).one_or_none()
    if item is None:
        raise CoachError("COACH-CCH-001", what="quarantined item", ref=item_id)
    may = actor.role == "admin" if item.coach_id is None else actor.may_change(item.coach_id)
    if not may:
        raise CoachError("COACH-IDN-003", what="changing what waits in the quarantine")
    if item.state != "waiting":
        raise CoachError("COACH-QRN-001", state=item.state)
    return item


def resolve(
    session: Session,
    actor: Actor,
    item: QuarantineItem,
    state: Literal["replayed", "discarded"],
    *,
    transcript_id: uuid.UUID | None = None,
    keep_bytes: bool = False,
) -> None:
    """End an item in an open transaction.

    Parameters:
        transcript_id: what a replay made of it, or added to.
        keep_bytes: until the item is too old: what came in is not what was imported.
    """
    item.state, item.resolved_at, item.resolved_by = state, clock.now(), actor.user_id
    if transcript_id is not None:
        item.transcript_id = transcript_id
    if not keep_bytes:
        item.content = None
    session.flush()
    audit.record(
        session, actor, f"quarantine.{state}", "quarantine", item.id,
        kind=item.kind, transcript_id=str(item.transcript_id) if item.transcript_id else None,
    )  # fmt: skip


def resolve_imported(
    session: Session, actor: Actor, sha256: str, client_id: uuid.UUID, transcript_id: uuid.UUID
) -> None:
    """The same file of the same client, refused before, was imported now."""
    for item in session.scalars(
        sa.select(QuarantineItem).where(
            QuarantineItem.kind == "transcript",
            QuarantineItem.state == "waiting",
            QuarantineItem.client_id == client_id,
            QuarantineItem.sha256 == sha256,
        )
    ):
        resolve(session, actor, item, "replayed", transcript_id=transcript_id)


def _waiting(session: Session, dedupe: str) -> QuarantineItem | None:
    return session.scalars(
        sa.select(QuarantineItem).where(
            QuarantineItem.dedupe == dedupe, QuarantineItem.state == "waiting"
        )
    ).first()


def _dedupe(refused: Refused, sha256: str) -> str:
    parts = (
        refused.kind, refused.coach_id, refused.client_id, refused.transcript_id, refused.position,
        refused.line if refused.kind == "cue" else None, sha256,
    )  # fmt: skip
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _details(error: CoachError) -> dict[str, str | int]:
    return {
        name: value if isinstance(value, int) else clean_line(str(value))[:500]
        for name, value in error.details.items()
        if not name.startswith("quarantine_")
    }


def _full(session: Session, refused: Refused) -> bool:
    held = session.scalar(
        sa.select(sa.func.count(QuarantineItem.id)).where(
            QuarantineItem.state == "waiting",
            QuarantineItem.kind == refused.kind,
            QuarantineItem.coach_id == refused.coach_id
            if refused.coach_id is not None
            else QuarantineItem.coach_id.is_(None),
        )
    )
    return (held or 0) >= WAITING_LIMIT


def _visible(actor: Actor) -> list[sa.ColumnElement[bool]]:
    if actor.role == "admin":
        return []
    if actor.sees_all:  # a roster names everybody: it is the admins'
        return [QuarantineItem.coach_id.is_not(None)]
    if actor.coach_id is None:
        return [sa.false()]
    return [QuarantineItem.coach_id == actor.coach_id]


def _rows() -> sa.Select[QuarantineItem, str, str]:
    return (
        sa.select(QuarantineItem, Coach.name, Client.name)
        .outerjoin(Coach, Coach.id == QuarantineItem.coach_id)
        .outerjoin(Client, Client.id == QuarantineItem.client_id)
    )


def _row(item: QuarantineItem, coach_name: str | None, client_name: str | None) -> QuarantineRow:
    error = error_of(item.code, item.details)
    return QuarantineRow(
        id=item.id,
        kind=item.kind,
        state=item.state,
        source=item.source,
        name=item.name,
        code=item.code,
        reason=error.message,
        next_step=error.next_step,
        line=item.line,
        size_bytes=item.size_bytes,
        seen=item.seen,
        coach_id=item.coach_id,
        coach_name=coach_name,
        client_id=item.client_id,
        client_name=client_name,
        held_on=item.held_on,
        transcript_id=item.transcript_id,
        created_at=item.created_at,
        resolved_at=item.resolved_at,
    )


__all__ = [
    "QuarantineDetail",
    "QuarantineRow",
    "Refused",
    "Source",
    "count_waiting",
    "discard",
    "expire",
    "file_name",
    "get",
    "is_whole",
    "keep",
    "keep_in",
    "list_items",
    "open_item",
    "preview",
    "resolve",
    "resolve_imported",
]
