"""Legal holds: while one stands, nothing about the client is erased, and nothing expires."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import Client, LegalHold, User

REASON_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as lists show it; `released_at` None: it stands."""

    id: uuid.UUID
    client_id: uuid.UUID
    client_name: str
    reason: str
    placed_at: dt.datetime
    placed_by: str
    released_at: dt.datetime | None


def add(database: Database, actor: Actor, client_id: uuid.UUID, reason: str) -> uuid.UUID:
    """Place a hold on a client; returns its id.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin, COACH-CCH-001, COACH-PRV-008.
    """
    actor.require_role("admin", what="legal holds")
    reason = clean_line(reason)
    if not reason:
        raise CoachError("COACH-PRV-008", problem="empty")
    if len(reason) > REASON_LIMIT:
        raise CoachError("COACH-PRV-008", problem=f"longer than {REASON_LIMIT} characters")

    def work(session: Session) -> uuid.UUID:
        if session.get(Client, client_id, with_for_update=True) is None:
            raise CoachError("COACH-CCH-001", what="client", ref=client_id)
        hold = LegalHold(
            id=ids.new_id(), client_id=client_id, reason=reason, placed_by=actor.user_id
        )
        session.add(hold)
        session.flush()
        audit.record(session, actor, "hold.placed", "client", client_id, hold_id=str(hold.id))
        return hold.id

    return database.run(work)


def release(database: Database, actor: Actor, hold_id: str) -> None:
    """End a hold.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin; COACH-PRV-006 where none stands.
    """
    actor.require_role("admin", what="legal holds")

    def work(session: Session) -> None:
        identifier = ids.parse_id(hold_id)
        hold = session.get(LegalHold, identifier, with_for_update=True) if identifier else None
        if hold is None or hold.released_at is not None:
            raise CoachError("COACH-PRV-006", what="hold", ref=hold_id)
        hold.released_at, hold.released_by = clock.now(), actor.user_id
        audit.record(
            session, actor, "hold.released", "client", hold.client_id, hold_id=str(hold.id)
        )

    database.run(work)


def list_holds(database: Database, actor: Actor, *, ended: bool = False) -> list[Hold]:
    """Holds that stand, with `ended` also those that do not any more, the newest first.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin.
    """
    actor.require_role("admin", what="legal holds")
    query = (
        sa.select(LegalHold, Client.name, User.name)
        .join(Client, Client.id == LegalHold.client_id)
        .outerjoin(User, User.id == LegalHold.placed_by)
        .order_by(LegalHold.created_at.desc(), LegalHold.id.desc())
    )
    if not ended:
        query = query.where(LegalHold.released_at.is_(None))
    with database.read() as session:
        return [
            Hold(
                hold.id, hold.client_id, client, hold.reason, hold.created_at,
                placed_by or actor.name, hold.released_at,
            )
            for hold, client, placed_by in session.execute(query)
        ]  # fmt: skip


def standing() -> sa.Select[uuid.UUID]:
    """The ids of clients with a hold, for conditions."""
    return sa.select(LegalHold.client_id).where(LegalHold.released_at.is_(None))


def require_none(session: Session, client_id: uuid.UUID) -> None:
    """Refuse where a hold stands.

    Raises:
        CoachError: COACH-PRV-001.
    """
    since = session.scalar(
        sa.select(sa.func.min(LegalHold.created_at)).where(
            LegalHold.client_id == client_id, LegalHold.released_at.is_(None)
        )
    )
    if since is not None:
        raise CoachError("COACH-PRV-001", since=since.date().isoformat())
