"""Activity: one row for each use of the suite by a person."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.db.models import Activity


def record_activity(
    session: Session,
    actor: Actor,
    kind: str,
    *,
    coach_id: uuid.UUID | None = None,
    subject_id: uuid.UUID | None = None,
    duration_ms: int | None = None,
) -> None:
    """Write that a use of `kind` (`<noun>.<past participle>`) happened, in the act's transaction."""
    session.add(
        Activity(
            at=clock.now(),
            kind=kind,
            user_id=actor.user_id,
            coach_id=coach_id or actor.coach_id,
            subject_id=subject_id,
            duration_ms=duration_ms,
        )
    )
