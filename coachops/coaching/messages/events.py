"""What became of a letter after it left: taking reports of mail servers in, each once.

A report counts only where it names the letter (see `references`). Then the letter carries the mark,
and an address that is refused for good, or that returned `SOFT_LIMIT` letters within `SOFT_PERIOD`,
comes onto the list of `suppression`; so does one whose owner complained.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from typing import Literal, Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.messages import addresses, states
from coachops.coaching.messages.once import insert_once
from coachops.coaching.messages.references import Letter, read_ref
from coachops.coaching.messages.statuses import is_address_refused
from coachops.coaching.messages.suppression import Source, suppress
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import MailEvent, Message

EventKind = Literal["delivered", "delayed", "bounced", "complained"]
EventSource = Literal["smtp", "report", "api"]
Taken = Literal["recorded", "duplicate", "unknown"]

SOFT_LIMIT = 3
SOFT_PERIOD = dt.timedelta(days=30)
"""So many letters returned in such a time, none delivered between them: the address is dead."""
_FUTURE = dt.timedelta(minutes=5)
"""How far a reporter's clock may be ahead."""
_REFUSED = "COACH-MSG-011"


@dataclass(frozen=True, slots=True)
class Reported:
    """A report about one letter.

    Attributes:
        key: the reporter's own id of the event; the same one again changes nothing.
        letter: message and version that it names; None where it names none of ours.
        status: enhanced status code, or empty.
        at: when it happened; None for now.
    """

    key: str
    kind: EventKind
    source: EventSource
    letter: Letter | None
    status: str = ""
    at: dt.datetime | None = None

    @classmethod
    def by_service(
        cls, event_id: str, kind: EventKind, reference: str, status: str, at: dt.datetime | None
    ) -> Self:
        """What a mail service reports; `reference` is a Message-ID or a value of our own header."""
        return cls(event_id, kind, "api", read_ref(reference), status, at)


def record_reports(database: Database, reports: list[Reported], secret: bytes) -> list[Taken]:
    """Take reports in, each once; what became of each, in the same order.

    Parameters:
        secret: of the letters, `services.secret("feedback")`.
    """
    return database.run(lambda session: [record(session, each, secret) for each in reports])


def record(session: Session, report: Reported, secret: bytes) -> Taken:
    """As `record_reports`, one of them in an open transaction."""
    message = _letter(session, report.letter)
    now = clock.now()
    at = report.at if report.at is not None and report.at <= now + _FUTURE else now
    hashed = addresses.address_hash(secret, message.recipient_email) if message else None
    hard = report.kind == "bounced" and is_address_refused(report.status)
    new = insert_once(
        session, MailEvent, ["event_key"],
        event_key=_key(report.source, report.key), kind=report.kind, source=report.source,
        status=report.status[:20], hard=hard, address_hash=hashed, occurred_at=at,
        message_id=message.id if message is not None else None,
    )  # fmt: skip
    if not new:
        return "duplicate"
    if message is None or hashed is None:
        return "unknown"
    _mark(session, message, report.kind, at)
    if report.kind == "complained":
        _suppress(session, hashed, "complaint", report, message.id, secret)
    elif hard or (report.kind == "bounced" and _returns_in_a_row(session, hashed, at)):
        _suppress(session, hashed, "bounce", report, message.id, secret)
    return "recorded"


def unknown_reports(session: Session, since: dt.datetime) -> int:
    """How many reports since then named no letter of ours."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(MailEvent)
            .where(MailEvent.message_id.is_(None), MailEvent.created_at >= since)
        )
        or 0
    )


def _letter(session: Session, letter: Letter | None) -> Message | None:
    """The letter, if this very version is the one that was handed over last."""
    if letter is None:
        return None
    message_id, version = letter
    return session.scalars(
        sa.select(Message)
        .where(
            Message.id == message_id,
            Message.mail_id.startswith(f"<{message_id}.{version}@", autoescape=True),
            Message.version == version,
        )
        .with_for_update()
    ).one_or_none()


def _mark(session: Session, message: Message, kind: EventKind, at: dt.datetime) -> None:
    """Show on the letter what was reported; it also settles an outcome that nobody knew."""
    if kind == "delayed" or (kind == "delivered" and message.delivery is not None):
        return
    if kind == "bounced" and states.move(
        session, message.id, "refuse", from_states={"uncertain"}, error_code=_REFUSED
    ):
        audit.record(session, SYSTEM, "message.failed", "message", message.id, code=_REFUSED)
        return
    if kind != "bounced":
        states.move(
            session, message.id, "deliver", from_states={"uncertain"},
            sent_at=message.sending_at or at, error_code=None,
        )  # fmt: skip
    marked = session.execute(
        sa.update(Message)
        .where(Message.id == message.id, Message.state.in_(("sent", "sending")))
        .values(delivery=kind, delivery_at=at, updated_at=clock.now())
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    if marked.first() is not None:
        audit.record(session, SYSTEM, f"message.{kind}", "message", message.id)


def _suppress(
    session: Session,
    hashed: str,
    reason: Literal["bounce", "complaint"],
    report: Reported,
    message_id: uuid.UUID,
    secret: bytes,
) -> None:
    source: Source = report.source
    suppress(session, hashed, reason, source, secret, message_id=message_id, status=report.status)


def _returns_in_a_row(session: Session, hashed: str, at: dt.datetime) -> bool:
    """Whether `SOFT_LIMIT` different letters came back lately, none delivered between them."""
    delivered = session.scalar(
        sa.select(sa.func.max(MailEvent.occurred_at)).where(
            MailEvent.address_hash == hashed, MailEvent.kind == "delivered"
        )
    )
    since = max(at - SOFT_PERIOD, delivered) if delivered else at - SOFT_PERIOD
    returned = session.scalar(
        sa.select(sa.func.count(sa.distinct(MailEvent.message_id))).where(
            MailEvent.address_hash == hashed,
            MailEvent.kind == "bounced",
            MailEvent.occurred_at > since,
        )
    )
    return (returned or 0) >= SOFT_LIMIT


def _key(source: str, key: str) -> str:
    return hashlib.sha256(f"{source}\n{key}".encode()).hexdigest()
