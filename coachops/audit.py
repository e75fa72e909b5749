"""The audit record: acts that must be answerable for, written in the transaction of the act.

Holds ids and counts only. To record an act: `record(session, actor, "message.approved", …)`.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.db.models import AuditEvent


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject_type: str,
    subject_id: object,
    **details: str | int | bool | None,
) -> None:
    """Write that `actor` did `action` (`<noun>.<past participle>`) to a row.

    Parameters:
        session: the transaction of the act, so that both are written or neither.
        details: ids, counts and codes; never words of a client.
    """
    session.add(
        AuditEvent(
            at=clock.now(),
            actor_id=actor.user_id,
            action=action,
            subject_type=subject_type,
            subject_id=str(subject_id),
            details=details,
        )
    )
