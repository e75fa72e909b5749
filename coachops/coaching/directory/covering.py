"""Whether a caller may see or write a row: the actor's role, then the limits of the token.

A row is judged by the coach and client it has now. A client belongs to the coaches of engagements
that run; where none runs, to those of all. A client whom nobody coaches yet belongs to the source
that brought it, so that a limited source can go on with its engagement.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coachops.coaching.directory.model import KindName, Row
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.db.coached import coaches_of
from coachops.db.models import Client, Coach, CoachingSession, Engagement, InboundRow

_DATASET: dict[KindName, str] = {
    "coach": "coaches",
    "client": "clients",
    "engagement": "engagements",
    "session": "sessions",
}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes.

    Attributes:
        actor: whose role counts.
        grant: limits of the token.
        secret: of the digests.
        erasures: key of the list of erased clients; with another one no client is created.
    """

    actor: Actor
    grant: Grant = EVERYTHING
    secret: bytes = b""
    erasures: bytes = b""

    @property
    def source(self) -> str:
        """Under which name digests are kept: the user's, since tokens are replaced."""
        return "coachops" if self.actor.user_id is None else str(self.actor.user_id)

    @property
    def limited(self) -> bool:
        """Whether there are rows that this caller may not see."""
        return self.grant.limits_people or not self.actor.sees_all

    def outside(self, what: str, ref: str) -> CoachError:
        """The refusal of something that is outside of the limits, or is not there: one answer."""
        if self.grant.limits_people:
            return CoachError("COACH-IDN-016", what=f"the {what} '{ref}'")
        return CoachError("COACH-CCH-001", what=what, ref=ref)


def require_dataset(writer: Writer, kind: KindName) -> None:
    """Refuse a sort of row that the token's limits leave out: what is written is shown, too.

    Raises:
        CoachError: COACH-IDN-016.
    """
    if not writer.grant.allows_dataset(_DATASET[kind]):
        raise CoachError("COACH-IDN-016", what=f"the dataset '{_DATASET[kind]}'")


def covers(session: Session, writer: Writer, row: Row, today: dt.date) -> bool:
    """Whether the caller may know of the row."""
    match row:
        case Coach():
            return _pair(writer, row.id, None)
        case Client():
            return _client(session, writer, row, today)
        case Engagement() | CoachingSession():
            return _pair(writer, row.coach_id, row.client_id)


def _pair(writer: Writer, coach_id: uuid.UUID, client_id: uuid.UUID | None) -> bool:
    return writer.actor.may_read(coach_id) and writer.grant.covers(coach_id, client_id)


def _client(session: Session, writer: Writer, client: Client, today: dt.date) -> bool:
    if not writer.limited:
        return True
    coaches = set(session.scalars(coaches_of(client.id, today)))
    if not coaches:
        return writer.grant.covers(None, client.id) or (
            writer.grant.clients is None and _brought(session, writer, client.id)
        )
    return any(_pair(writer, coach, client.id) for coach in coaches)


def _brought(session: Session, writer: Writer, row_id: uuid.UUID) -> bool:
    return session.get(InboundRow, (row_id, writer.source)) is not None
