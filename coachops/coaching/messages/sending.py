"""Sending once: claim, hand over, mark; each in its own transaction.

approved -> sending is committed before the first byte leaves. If the process dies in between, the
message is found in `sending` by whoever comes next and becomes `uncertain`: a person decides. The
process that holds the claim knows the outcome and records it, even where it was given up meanwhile.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import consent
from coachops.coaching.messages import rows, states
from coachops.coaching.messages.events import Reported, record
from coachops.coaching.messages.letter import Letterhead, compose, message_id_header
from coachops.coaching.messages.mailers import Mailer
from coachops.coaching.messages.rows import MessageRow
from coachops.coaching.messages.suppression import SUPPRESSED, is_suppressed, take_back
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Message
from coachops.telemetry import record_activity

SEND_LIMIT = dt.timedelta(minutes=5)
"""Longer than any attempt takes (the mailer's time-outs add up to less): then a claim is lost."""

DELAYS = tuple(dt.timedelta(minutes=each) for each in (1, 5, 15, 60, 120, 240, 480))
"""Waits after each time the server put a letter off, about 15 hours in all: greylisting asks for
minutes, a server that is down for hours; later a person decides."""
_PATIENT = 2

_log = logging.getLogger(__name__)


def claim_and_send(
    database: Database,
    mailer: Mailer,
    message_id: uuid.UUID,
    letterhead: Letterhead,
    *,
    version: int | None = None,
    abandoned_after: dt.timedelta = SEND_LIMIT,
) -> str:
    """Send an approved message, at most once in its life; safe to repeat.

    A letter that was put off (a busy or absent server, greylisting) is `approved` again with
    `retry_at`, and counted in `attempts`; `unsent_approved` names it when its time has come.

    Parameters:
        version: send only if this is the approved version; None for whichever is approved.
        abandoned_after: how old somebody else's claim must be to count as lost. A durable job,
            which knows that it is the only runner, gives zero.

    Returns:
        the state afterwards. `draft`, `failed`, `sent` and `uncertain` of before stay untouched.

    Raises:
        CoachError: COACH-CCH-001 where there is no such message.
    """
    row, claimed_at = database.run(
        lambda session: _claim(session, message_id, letterhead, version, abandoned_after)
    )
    if claimed_at is None:
        return row.state
    try:
        letter = compose(row, letterhead, at=claimed_at)
        mailer.deliver(letter, sender=letterhead.return_path(row), recipient=row.recipient_email)
    except CoachError as error:
        _log.warning(
            "a letter was not taken",
            extra={
                "message_id": str(message_id),
                "code": error.code,
                "reason": str(error.details.get("reason", "")),
            },
        )
        return _not_taken(database, row, claimed_at, error, letterhead)
    except Exception as error:  # a fault of a mailer: nobody knows what it did
        _log.error(
            "a mailer failed unexpectedly",
            extra={"message_id": str(message_id), "error": type(error).__name__},
        )
        return _mark(database, row, claimed_at, "lose", "COACH-MSG-004")
    return _mark(database, row, claimed_at, "deliver", None)


def give_up_lost_sendings(
    database: Database, older_than: dt.timedelta = SEND_LIMIT
) -> list[uuid.UUID]:
    """Mark messages whose sender vanished as uncertain; returns their ids."""
    now = clock.now()

    def work(session: Session) -> list[uuid.UUID]:
        found = session.scalars(
            sa.select(Message.id).where(
                Message.state == "sending",
                sa.or_(
                    Message.sending_at <= now - older_than, Message.sending_at > now + clock.AHEAD
                ),
            )
        ).all()
        return [
            message_id
            for message_id in found
            if states.move(session, message_id, "lose", error_code="COACH-MSG-004")
        ]

    return database.run(work)


def unsent_approved(
    database: Database, older_than: dt.timedelta = dt.timedelta()
) -> list[tuple[uuid.UUID, int]]:
    """Ids and approved versions of messages approved that long ago, not picked up and not put off.

    A message that was put off by a clock that ran ahead is due when that clock was set back.
    """
    now = clock.now()
    ahead = now + clock.AHEAD
    with database.read() as session:
        return [
            (message_id, version)
            for message_id, version in session.execute(
                sa.select(Message.id, Message.version)
                .where(
                    Message.state == "approved",
                    sa.or_(Message.approved_at <= now - older_than, Message.approved_at > ahead),
                    sa.or_(
                        Message.retry_at.is_(None),
                        Message.retry_at <= now,
                        Message.updated_at > ahead,
                    ),
                )
                .order_by(Message.approved_at)
            )
        ]


def try_again_later(database: Database, message_id: uuid.UUID, version: int, attempts: int) -> bool:
    """Let an approved message wait for a new try, because the job of this one ended without it.

    Parameters:
        attempts: that the caller saw; with another number, somebody has moved the message since.

    Returns:
        whether it waits now.
    """

    def work(session: Session) -> bool:
        found = session.scalars(
            sa.select(Message).where(Message.id == message_id).with_for_update()
        ).one_or_none()
        same = found is not None and (found.version, found.attempts) == (version, attempts)
        if not same or (found is not None and found.state != "approved"):
            return False
        _postpone(session, rows.load(session, SYSTEM, message_id), None)
        return True

    return database.run(work)


def _claim(
    session: Session,
    message_id: uuid.UUID,
    letterhead: Letterhead,
    version: int | None,
    abandoned_after: dt.timedelta,
) -> tuple[MessageRow, dt.datetime | None]:
    """The message, and the time of our claim; None where there is nothing for us to send."""
    row = rows.load(session, SYSTEM, message_id)
    now = clock.now()
    if row.state == "sending":
        claimed = row.sending_at or now
        gone = now - claimed >= abandoned_after or claimed > now + clock.AHEAD
        if version in {None, row.version} and gone:
            states.move(
                session, message_id, "lose", claimed_at=row.sending_at, error_code="COACH-MSG-004"
            )
        return rows.load(session, SYSTEM, message_id), None
    holds = row.state == "approved" and row.approved_version == row.version
    if not holds or version not in {None, row.version}:
        return row, None
    refused = ""
    try:
        if not consent.current(session, row.client_id)["processing"]:
            refused = "COACH-CCH-002"
        elif is_suppressed(session, row.recipient_email, letterhead.feedback_secret):
            refused = SUPPRESSED
    except CoachError as error:  # nobody can tell who must not be written to: then nobody is
        if error.code != "COACH-MSG-014":
            raise
        _postpone(session, row, error.code)
        return rows.load(session, SYSTEM, message_id), None
    if refused:
        take_back(session, message_id, row.version, refused)
        return rows.load(session, SYSTEM, message_id), None
    won = states.move(
        session, message_id, "claim", version=row.version, sending_at=now, retry_at=None,
        mail_id=message_id_header(message_id, row.version, letterhead), error_code=None,
    )  # fmt: skip
    return rows.load(session, SYSTEM, message_id), now if won else None


def _not_taken(
    database: Database,
    row: MessageRow,
    claimed_at: dt.datetime,
    error: CoachError,
    letterhead: Letterhead,
) -> str:
    """Record that our claim did not end with a letter taken; returns the state that holds then."""
    if error.code == "COACH-MSG-004":
        return _mark(database, row, claimed_at, "lose", error.code)
    if error.details.get("temporary") and database.run(
        lambda session: _put_off(session, row, claimed_at, error.code)
    ):
        return "approved"
    report = None
    if error.code == "COACH-MSG-011" or error.details.get("returned"):
        # what the server said about this recipient, before the letter itself
        report = Reported(
            key=f"{row.id}.{row.version}",
            kind="bounced",
            source="smtp",
            letter=(row.id, row.version),
            status=str(error.details.get("status", "")),
            at=clock.now(),
        )
    return _mark(database, row, claimed_at, "refuse", error.code, report, letterhead)


def _put_off(session: Session, row: MessageRow, claimed_at: dt.datetime, code: str) -> bool:
    """Let the letter wait for its next try; False where it has waited long enough.

    Each try has a job of its own, named by version and `attempts`.
    """
    if row.attempts >= len(DELAYS):
        return False
    deferred = states.move(
        session, row.id, "defer", version=row.version, claimed_at=claimed_at,
        attempts=row.attempts + 1, retry_at=clock.now() + DELAYS[row.attempts], error_code=code,
    )  # fmt: skip
    if deferred:
        audit.record(
            session, SYSTEM, "message.deferred", "message", row.id, version=row.version, code=code
        )
    return deferred


def _postpone(session: Session, row: MessageRow, code: str | None) -> None:
    """Try again a little later, as often as it takes: something on our side has to be mended."""
    states.move(
        session, row.id, "postpone", version=row.version, attempts=row.attempts + 1,
        retry_at=clock.now() + DELAYS[min(row.attempts, _PATIENT)], error_code=code,
    )  # fmt: skip


def _mark(
    database: Database,
    row: MessageRow,
    claimed_at: dt.datetime,
    action: str,
    code: str | None,
    report: Reported | None = None,
    letterhead: Letterhead | None = None,
) -> str:
    """Record the outcome of our claim; returns the state that holds then.

    Parameters:
        report: what the server said about the recipient, if anything.
        letterhead: needed with a report.
    """

    def work(session: Session) -> str:
        values: dict[str, Any] = {"error_code": code}
        if action == "deliver":
            values["sent_at"] = clock.now()
        if states.move(session, row.id, action, claimed_at=claimed_at, **values):
            state = states.TRANSITIONS[action].target
            audit.record(
                session, SYSTEM, f"message.{state}", "message", row.id,
                version=row.version, code=code,
            )  # fmt: skip
            if state == "sent":
                record_activity(
                    session, SYSTEM, "message.sent", coach_id=row.coach_id, subject_id=row.id
                )
        if report is not None and letterhead is not None:
            record(session, report, letterhead.feedback_secret)
        return rows.load(session, SYSTEM, row.id).state

    return database.run(work)
