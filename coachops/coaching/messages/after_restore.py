"""After a restore: what the backup holds as unsent may have been sent since, so a person decides.

A letter that stood approved or half-sent when the backup was made becomes `uncertain`, with a code
that says why. A draft or a failed letter keeps its state and its words, and carries the same code:
it may have been approved and sent after the backup was made.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.messages import states
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import Message

RESTORED = "COACH-MSG-012"


def hold_unsent(target: Database | Session, reason: str = "restore") -> int:
    """Keep every unsent letter back until a person decides; safe to repeat.

    Call it on the restored database before anything else runs on it.

    Parameters:
        target: the database, or an open transaction of the caller.
        reason: a word for the audit.

    Returns:
        how many letters that were on their way wait for a decision now.
    """
    if isinstance(target, Database):
        return target.run(lambda session: _hold(session, reason))
    return _hold(target, reason)


def _hold(session: Session, reason: str) -> int:
    on_their_way = session.scalars(
        sa.select(Message.id)
        .where(Message.state.in_(states.TRANSITIONS["hold"].sources))
        .order_by(Message.id)
    ).all()
    held = 0
    for message_id in on_their_way:
        if states.move(session, message_id, "hold", error_code=RESTORED, retry_at=None):
            audit.record(session, SYSTEM, "message.held", "message", message_id, reason=reason)
            held += 1
    session.execute(
        sa.update(Message)
        .where(Message.state.in_(("draft", "failed")))
        .values(error_code=RESTORED)
        .execution_options(synchronize_session=False)
    )
    return held
