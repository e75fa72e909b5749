"""Addresses that are never written to: why, since when, and who may lift it.

| reason | how it comes | who lifts it |
|---|---|---|
| bounce | the address is refused for good, or several letters in a row came back | coach or admin, with a note |
| opt_out | the client used the link of a letter | the client by the same link; coach or admin who note when the client asked for letters again |
| complaint | the client's mail program reported a letter as unwanted | the client by the link; an admin with a note |

The rule covers follow-ups. Invitations and password resets of users are not letters to clients: they
are asked for one at a time by an admin, and a person must be able to sign in again.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.messages import addresses, states
from coachops.coaching.messages.once import insert_once
from coachops.coaching.scope import open_client
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Message, Suppression

Reason = Literal["bounce", "complaint", "opt_out"]
Source = Literal["smtp", "report", "api", "link"]

NOTE_LIMIT = 200
SUPPRESSED = "COACH-MSG-010"
_GRAVEST_FIRST: tuple[Reason, ...] = ("complaint", "opt_out", "bounce")
WORDS: dict[str, str] = {
    "bounce": "their address does not take mail",
    "complaint": "a letter was reported as unwanted",
    "opt_out": "they asked for no more e-mails",
}
"""Reason -> how it is said to a coach."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A reason that holds now.

    Attributes:
        status: enhanced status code of a mail server (RFC 3463), or empty.
        words: the reason as it is said to a coach.
    """

    reason: Reason
    source: str
    status: str
    since: dt.datetime
    words: str


def standing(session: Session, address: str, secret: bytes) -> Standing | None:
    """Why this address is not written to; None where it may be. The gravest reason is told.

    Parameters:
        secret: of the letters, `services.secret("feedback")`.

    Raises:
        CoachError: COACH-MSG-014 where the list was made with another secret: then nobody knows
            who is on it, and nothing may be sent.
    """
    require_readable(session, secret)
    found = {
        row.reason: row
        for row in session.scalars(_standing_rows(addresses.address_hash(secret, address)))
    }
    for reason in _GRAVEST_FIRST:
        if reason in found:
            row = found[reason]
            return Standing(reason, row.source, row.status, row.since, WORDS[reason])
    return None


def is_suppressed(session: Session, address: str, secret: bytes) -> bool:
    """Whether this address must not be written to. Raises as `standing`."""
    return standing(session, address, secret) is not None


def require_allowed(session: Session, address: str, secret: bytes) -> None:
    """Refuse an address that must not be written to.

    Raises:
        CoachError: COACH-MSG-010, COACH-MSG-014.
    """
    found = standing(session, address, secret)
    if found is not None:
        raise CoachError(SUPPRESSED, reason=found.words)


def require_readable(session: Session, secret: bytes) -> None:
    """Refuse to go on where rows of the list were made with another secret.

    Raises:
        CoachError: COACH-MSG-014.
    """
    foreign = session.scalar(
        sa.select(Suppression.id)
        .where(
            Suppression.lifted_at.is_(None),
            Suppression.key_id != addresses.key_id(secret),
        )
        .limit(1)
    )
    if foreign is not None:
        raise CoachError("COACH-MSG-014")


def suppress(
    session: Session,
    hashed: str,
    reason: Reason,
    source: Source,
    secret: bytes,
    *,
    message_id: uuid.UUID | None = None,
    status: str = "",
    actor: Actor = SYSTEM,
) -> bool:
    """Put an address on the list, and take back every approval of a letter to it.

    Parameters:
        hashed: the address as `addresses.address_hash`.
        message_id: the letter that it came from.

    Returns:
        whether it was new; False where the same reason holds already.
    """
    new = insert_once(
        session, Suppression, ["address_hash", "reason"], where=Suppression.lifted_at.is_(None),
        address_hash=hashed, key_id=addresses.key_id(secret), reason=reason, source=source,
        status=status, message_id=message_id, since=clock.now(), note="",
    )  # fmt: skip
    if not new:
        return False
    audit.record(session, actor, "address.suppressed", "message", message_id, reason=reason)
    _take_back(session, hashed, secret)
    return True


def lift(
    database: Database,
    actor: Actor,
    client_id: uuid.UUID,
    reason: Reason,
    note: str,
    secret: bytes,
) -> None:
    """Write to a client again: the mailbox works again, or the client asked for letters again.

    Parameters:
        note: how this is known; kept with the row.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-MSG-002 without an address; COACH-MSG-006
            for a note; COACH-MSG-015 where the reason is not this person's to lift.
    """
    note = _checked_note(note)
    if reason == "complaint" and actor.role != "admin":
        raise CoachError("COACH-MSG-015")

    def work(session: Session) -> None:
        client = open_client(session, actor, client_id, change=True)
        if not client.email:
            raise CoachError("COACH-MSG-002")
        hashed = addresses.address_hash(secret, client.email)
        if lift_rows(session, hashed, {reason}, actor=actor, note=note):
            audit.record(session, actor, "address.allowed", "client", client_id, reason=reason)

    database.run(work)


def lift_rows(
    session: Session, hashed: str, reasons: set[str], *, actor: Actor | None, note: str = ""
) -> int:
    """End what holds for an address; `actor` None is the client. Returns how many rows ended."""
    ended = session.execute(
        sa.update(Suppression)
        .where(
            Suppression.address_hash == hashed,
            Suppression.lifted_at.is_(None),
            Suppression.reason.in_(reasons),
        )
        .values(
            lifted_at=clock.now(),
            lifted_by="client" if actor is None else "person",
            lifted_by_user=actor.user_id if actor is not None else None,
            note=note,
        )
        .returning(Suppression.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def of_address(database: Database, address: str, secret: bytes) -> Standing | None:
    """Why the recipient of a letter that the caller may see is not written to. Raises COACH-MSG-014."""
    with database.read() as session:
        return standing(session, address, secret)


def of_client(
    database: Database, actor: Actor, client_id: uuid.UUID, secret: bytes
) -> Standing | None:
    """Why a client is not written to; None where they may be, or have no address.

    Raises:
        CoachError: COACH-CCH-001, COACH-MSG-014.
    """
    with database.read() as session:
        client = open_client(session, actor, client_id)
        return standing(session, client.email, secret) if client.email else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list as an admin sees it; `clients` are those whose address it is now."""

    reason: str
    source: str
    status: str
    since: dt.datetime
    message_id: uuid.UUID | None
    clients: tuple[str, ...]


def list_standing(database: Database, actor: Actor, secret: bytes) -> list[Listed]:
    """Everything on the list that holds now, the newest first.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin; COACH-MSG-014.
    """
    actor.require_role("admin", what="the list of addresses that are never written to")
    with database.read() as session:
        require_readable(session, secret)
        names: dict[str, list[str]] = {}
        for name, email in session.execute(
            sa.select(Client.name, Client.email).where(Client.email.is_not(None))
        ):
            names.setdefault(addresses.address_hash(secret, str(email)), []).append(name)
        rows = session.scalars(
            sa.select(Suppression)
            .where(Suppression.lifted_at.is_(None))
            .order_by(Suppression.since.desc(), Suppression.id.desc())
        )
        return [
            Listed(
                row.reason, row.source, row.status, row.since, row.message_id,
                tuple(sorted(names.get(row.address_hash, ()))),
            )
            for row in rows
        ]  # fmt: skip


def stands(session: Session, hashed: str, reasons: set[str]) -> bool:
    """Whether one of these reasons holds for an address."""
    query = _standing_rows(hashed).where(Suppression.reason.in_(reasons))
    return session.scalars(query.limit(1)).first() is not None


def _standing_rows(hashed: str) -> sa.Select[Suppression]:
    return sa.select(Suppression).where(
        Suppression.address_hash == hashed, Suppression.lifted_at.is_(None)
    )


def _take_back(session: Session, hashed: str, secret: bytes) -> None:
    """Approvals of letters to this address end; the worker would refuse them one by one anyway."""
    waiting = session.execute(
        sa.select(Message.id, Message.version, Message.recipient_email).where(
            Message.state == "approved"
        )
    ).all()
    for message_id, version, recipient in waiting:
        if addresses.address_hash(secret, recipient) == hashed:
            take_back(session, message_id, version, SUPPRESSED)


def take_back(session: Session, message_id: uuid.UUID, version: int, code: str) -> None:
    """End an approval because of what `code` says; the letter is a draft again.

    The version grows: its job has come to an end, and an approval later needs a job of its own.
    """
    if states.move(
        session, message_id, "withdraw", version=version, new_version=version + 1,
        approved_version=None, retry_at=None, error_code=code,
    ):  # fmt: skip
        audit.record(session, SYSTEM, "message.withdrawn", "message", message_id, reason=code)


def _checked_note(note: str) -> str:
    note = " ".join(note.split())
    if not note:
        raise CoachError("COACH-MSG-006", field="note", reason="it is empty")
    if len(note) > NOTE_LIMIT:
        raise CoachError(
            "COACH-MSG-006", field="note", reason=f"it is longer than {NOTE_LIMIT} characters"
        )
    return note
