"""What the parts of `Identity` share: the database, the signing secret and small checks."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import AuditEvent, User, UserPermission, WebSession

_TOLD = dt.timedelta(minutes=1)
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,130}")


class Part:
    """Base of the parts.

    Parameters:
        database: where everything is kept.
        secret: signs the session cookie.
        session_hours: life of a sign-in.
    """

    def __init__(self, database: Database, secret: bytes, session_hours: float) -> None:
        self.database = database
        self._secret = secret
        self._session_life = dt.timedelta(hours=session_hours)


def require_admin(actor: Actor) -> None:
    """Refuse everybody but admins (and the operator's command line).

    Raises:
        CoachError: COACH-IDN-003.
    """
    actor.require_role("admin", what="the administration of users")


def clean_email(text: str) -> str:
    """An e-mail address as it is stored: trimmed, lower case.

    Raises:
        CoachError: COACH-IDN-009.
    """
    email = clean_line(text).lower()
    if not _EMAIL.fullmatch(email):
        raise CoachError("COACH-IDN-009", field="E-mail", reason="this is not an e-mail address")
    return email


def find_user(session: Session, ref: uuid.UUID | str, *, lock: bool = False) -> User:
    """The user of an id or e-mail.

    Parameters:
        lock: hold the row until the transaction ends (PostgreSQL; SQLite locks everything).

    Raises:
        CoachError: COACH-IDN-008.
    """
    key = ref if isinstance(ref, uuid.UUID) else ids.parse_id(ref)
    query = sa.select(User).where(
        User.id == key if key is not None else User.email == clean_line(str(ref)).lower()
    )
    user = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if user is None:
        raise CoachError("COACH-IDN-008", ref=str(ref))
    return user


def actor_for(session: Session, user: User) -> Actor:
    """The actor that `user` is now, with the permissions granted by name."""
    granted = session.scalars(
        sa.select(UserPermission.permission).where(UserPermission.user_id == user.id)
    )
    return Actor(user.id, user.role, user.name, user.coach_id, frozenset(granted))


def open_sessions(now: dt.datetime) -> sa.ColumnElement[bool]:
    """The condition that a `WebSession` is in force."""
    return sa.and_(WebSession.ended_at.is_(None), WebSession.expires_at > now)


def end_sessions(session: Session, user_id: uuid.UUID, keep: uuid.UUID | None = None) -> int:
    """End the sign-ins of a user, except `keep`; returns how many. The gate ends their kernels."""
    query = sa.update(WebSession).where(
        WebSession.user_id == user_id, WebSession.ended_at.is_(None)
    )
    if keep is not None:
        query = query.where(WebSession.id != keep)
    result = session.execute(query.values(ended_at=clock.now()))
    return int(getattr(result, "rowcount", 0))


def told_lately(session: Session, action: str, subject_id: str) -> bool:
    """Whether the audit record holds this act already from the last minute."""
    now = clock.now()
    query = sa.select(
        sa.exists().where(
            AuditEvent.at.between(now - _TOLD, now),
            AuditEvent.action == action,
            AuditEvent.subject_id == subject_id,
        )
    )
    return bool(session.scalar(query))
