"""Writing rows by external id: the part that the roster file and other systems' calls share."""

from __future__ import annotations

from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching.directory.model import Row
from coachops.db.models import Client, Coach, CoachingSession, Engagement

T = TypeVar("T", bound=Coach | Client | Engagement | CoachingSession)


def find(session: Session, table: type[T], external_id: str, *, lock: bool = False) -> T | None:
    """The row of that external id; locked until the end of the transaction with `lock`."""
    query = sa.select(table).where(table.external_id == external_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).first()


def holder_of_email(session: Session, email: str, external_id: str) -> str | None:
    """The external id of another coach who has this e-mail address already."""
    query = sa.select(Coach.external_id).where(Coach.email == email.lower())
    holder = session.scalars(query).first()
    return holder if holder != external_id else None


def set_values(entity: Row, **values: object) -> tuple[str, ...]:
    """Set what differs; the names of those fields."""
    changed = tuple(name for name, value in values.items() if getattr(entity, name) != value)
    for name in changed:
        setattr(entity, name, values[name])
    return changed


def add(session: Session, entity: Row) -> bool:
    """Add the row; False where another one with its external id was added at the same moment.

    Raises:
        sqlalchemy.exc.IntegrityError: the row breaks another limit of the database.
    """
    table, external_id = type(entity), entity.external_id
    try:
        with session.begin_nested():
            session.add(entity)
            session.flush()
    except sa.exc.IntegrityError:
        taken = session.scalar(sa.select(table.id).where(table.external_id == external_id))
        if taken is None:
            raise
        return False
    return True
