"""What the coach does with a draft: edit, approve, take back, send again, settle an unknown outcome.

Every call names the version it saw; who edits what somebody else changed meanwhile is told so.
"""

from __future__ import annotations

import uuid
from typing import Literal

from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import consent
from coachops.coaching.messages import rows, states
from coachops.coaching.messages.checks import checked_address, checked_body, checked_subject
from coachops.coaching.messages.rows import MessageRow
from coachops.coaching.messages.suppression import require_allowed
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Message
from coachops.telemetry import record_activity


def edit(
    database: Database,
    actor: Actor,
    message_id: uuid.UUID,
    version: int,
    subject: str,
    body: str,
) -> MessageRow:
    """Save the coach's words; an approval of the earlier words ends with it.

    Saving what stands there already changes nothing, so an approval stays.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-MSG-001 not in this state; COACH-CCH-004
            another version by now; COACH-MSG-006 for a subject or text that cannot be sent.
    """
    subject, body = checked_subject(subject), checked_body(body)

    def work(session: Session) -> MessageRow:
        message = rows.open_message(session, actor, message_id)
        unchanged = message.subject == subject and message.body == body
        if not (unchanged and message.version == version and message.state != "failed"):
            states.require_move(
                session, message_id, "edit", version=version,
                subject=subject, body=body, new_version=version + 1,
                edited=True, stale=False, approved_version=None, error_code=None, retry_at=None,
            )  # fmt: skip
            audit.record(
                session, actor, "message.edited", "message", message_id, version=version + 1
            )
        return rows.load(session, actor, message_id)

    return database.run(work)


def approve(
    database: Database,
    actor: Actor,
    message_id: uuid.UUID,
    version: int,
    *,
    secret: bytes | None = None,
) -> MessageRow:
    """Approve exactly this version for sending to the recipient it shows.

    Parameters:
        secret: of the letters, `services.secret("feedback")`: then a client who is not written to is
            refused here already. Sending refuses them in any case.

    Raises:
        CoachError: COACH-CCH-001; COACH-IDN-003 for anybody but the client's coach or an admin;
            COACH-MSG-001, COACH-CCH-004; COACH-MSG-002 and COACH-MSG-006 for a recipient or text
            that cannot be sent; COACH-CCH-002 where the client withdrew the consent; COACH-MSG-010
            where the address is not written to, COACH-MSG-014 where nobody can tell.
    """

    def work(session: Session) -> MessageRow:
        _require_sendable(session, _open_to_approve(session, actor, message_id), secret)
        states.require_move(
            session, message_id, "approve", version=version,
            approved_by=actor.user_id, approved_at=clock.now(), approved_version=version,
            error_code=None, attempts=0, retry_at=None,
        )  # fmt: skip
        audit.record(session, actor, "message.approved", "message", message_id, version=version)
        row = rows.load(session, actor, message_id)
        record_activity(
            session, actor, "message.approved", coach_id=row.coach_id, subject_id=message_id
        )
        return row

    return database.run(work)


def withdraw(database: Database, actor: Actor, message_id: uuid.UUID, version: int) -> MessageRow:
    """Take an approval back before sending began.

    The version grows: the job of this one may have come to an end, and there is one for each, ever.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003, COACH-MSG-001, COACH-CCH-004.
    """

    def work(session: Session) -> MessageRow:
        rows.open_message(session, actor, message_id)
        states.require_move(
            session, message_id, "withdraw", version=version, new_version=version + 1,
            approved_version=None, error_code=None, retry_at=None,
        )  # fmt: skip
        audit.record(session, actor, "message.withdrawn", "message", message_id, version=version)
        return rows.load(session, actor, message_id)

    return database.run(work)


def retry(
    database: Database, actor: Actor, message_id: uuid.UUID, *, secret: bytes | None = None
) -> MessageRow:
    """Approve a failed message again, as a new version with the same words.

    The new version gives it a new sending job; the failed one can never wake up.

    Raises:
        CoachError: as `approve`.
    """

    def work(session: Session) -> MessageRow:
        message = _open_to_approve(session, actor, message_id)
        _require_sendable(session, message, secret)
        version = message.version + 1
        states.require_move(
            session, message_id, "retry", version=message.version,
            new_version=version, approved_by=actor.user_id, approved_at=clock.now(),
            approved_version=version, error_code=None, attempts=0, retry_at=None,
        )  # fmt: skip
        audit.record(session, actor, "message.retried", "message", message_id, version=version)
        return rows.load(session, actor, message_id)

    return database.run(work)


def write_again(
    database: Database, actor: Actor, message_id: uuid.UUID, version: int
) -> MessageRow:
    """Make a letter that did not reach its reader a draft again, to the client's present address.

    For a draft or failed letter whose client has another address by now, and for one that a mail
    server returned: that one surely did not arrive.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-MSG-001 where it was not returned;
            COACH-CCH-004; COACH-MSG-002 and COACH-MSG-006 for the client's address.
    """

    def work(session: Session) -> MessageRow:
        message = _open_to_approve(session, actor, message_id)
        if message.state == "sent" and message.delivery != "bounced":
            raise CoachError("COACH-MSG-001", action="written again", state=message.state)
        address = (session.get_one(Client, message.client_id).email or "").strip()
        states.require_move(
            session, message_id, "reopen", version=version, new_version=version + 1,
            recipient_email=checked_address(address), approved_version=None, error_code=None,
            delivery=None, delivery_at=None, retry_at=None,
        )  # fmt: skip
        audit.record(session, actor, "message.reopened", "message", message_id, version=version + 1)
        return rows.load(session, actor, message_id)

    return database.run(work)


def resolve_uncertain(
    database: Database, actor: Actor, message_id: uuid.UUID, outcome: Literal["sent", "failed"]
) -> MessageRow:
    """Record what a person found out about a message whose delivery was unknown.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-MSG-001 where it is not uncertain.
    """

    def work(session: Session) -> MessageRow:
        message = _open_to_approve(session, actor, message_id)
        if outcome == "sent":
            # the best that is known: it went out when it was handed over
            values: dict[str, object] = {
                "sent_at": message.sending_at or clock.now(),
                "error_code": None,
            }
        else:
            values = {"error_code": "COACH-MSG-003"}
        states.require_move(session, message_id, f"resolve_{outcome}", version=None, **values)
        audit.record(session, actor, "message.resolved", "message", message_id, outcome=outcome)
        return rows.load(session, actor, message_id)

    return database.run(work)


def _open_to_approve(session: Session, actor: Actor, message_id: uuid.UUID) -> Message:
    """The message, for a decision that only the client's coach or an admin may take."""
    message = rows.open_message(session, actor, message_id)
    is_the_coach = actor.coach_id is not None and actor.coach_id == message.coach_id
    if not (actor.role == "admin" or is_the_coach):
        raise CoachError("COACH-IDN-003", what="approving follow-ups")
    return message


def _require_sendable(session: Session, message: Message, secret: bytes | None) -> None:
    checked_address(message.recipient_email)
    if secret is not None:
        require_allowed(session, message.recipient_email, secret)
    checked_subject(message.subject)
    checked_body(message.body)
    consent.require(session, message.client_id, "processing")
