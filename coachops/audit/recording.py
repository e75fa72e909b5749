"""Writing the audit record: each row with a digest of its own content.

`record` only adds a row, so acts of several processes do not wait for each other. `chain.seal` puts
the rows into the chain afterwards.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid

from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.db.models import AuditEvent

_VERSION = 1


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
    event = AuditEvent(
        id=ids.new_id(),
        at=clock.now(),
        actor_id=actor.user_id,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        details=details,
    )
    event.digest = digest_of(
        event.id, event.at, event.actor_id, action, subject_type, event.subject_id, details
    )
    session.add(event)


def digest_of(
    event_id: uuid.UUID,
    at: dt.datetime,
    actor_id: uuid.UUID | None,
    action: str,
    subject_type: str,
    subject_id: str,
    details: object,
) -> str:
    """SHA-256, in hex, over everything an event says, in one way of writing it down.

    A JSON array with sorted keys and no spaces; the instant in UTC with six decimals. Migration 0009
    holds a copy of this rule: a change here needs a new version number and a look at both.
    """
    content = [
        _VERSION,
        str(event_id),
        at.astimezone(clock.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        None if actor_id is None else str(actor_id),
        action,
        subject_type,
        subject_id,
        details,
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
