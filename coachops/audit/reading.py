"""The audit record as surfaces list it: newest first, with the names of who acted."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from coachops.core.actor import Actor
from coachops.db import Database
from coachops.db.models import AuditEvent, User


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An act: who did what to which row; `seq` is its number in the chain, None while it waits."""

    seq: int | None
    at: dt.datetime
    actor: str
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, object]


def list_events(
    database: Database,
    actor: Actor,
    *,
    action: str = "",
    subject: str = "",
    user_id: uuid.UUID | None = None,
    since: dt.datetime | None = None,
    limit: int = 50,
) -> list[AuditRow]:
    """The newest acts that match.

    Parameters:
        action: the beginning of the action, such as `message.`.
        subject: the id of the row that was acted upon.
        user_id: who acted.

    Raises:
        CoachError: COACH-IDN-003 for all but admins.
    """
    actor.require_role("admin", what="the audit record")
    query = sa.select(AuditEvent, User.email).join(
        User, User.id == AuditEvent.actor_id, isouter=True
    )
    if action:
        query = query.where(AuditEvent.action.startswith(action, autoescape=True))
    if subject:
        query = query.where(AuditEvent.subject_id == subject)
    if user_id is not None:
        query = query.where(AuditEvent.actor_id == user_id)
    if since is not None:
        query = query.where(AuditEvent.at >= since)
    with database.read() as session:
        rows = session.execute(query.order_by(AuditEvent.id.desc()).limit(limit))
        return [
            AuditRow(
                seq=event.seq,
                at=event.at,
                actor=_name(event, email),
                action=event.action,
                subject_type=event.subject_type,
                subject_id=event.subject_id,
                details=dict(event.details),
            )
            for event, email in rows
        ]


def _name(event: AuditEvent, email: str | None) -> str:
    if event.actor_id is None:
        return "coachops"
    return email or str(event.actor_id)
