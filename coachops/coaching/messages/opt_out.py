"""The link in each letter by which its reader ends, or begins again, all letters to that address.

The token names the letter and, as keyed hash, the address it went to, signed by this installation.
It needs no sign-in, has no end, and works again and again; a letter passed on lets whoever has it
end the letters, which harms less than a link that fails.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.messages import addresses, suppression
from coachops.coaching.messages.suppression import lift_rows, suppress
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Coach, Message

PATH = "/letters/"
"""Where the links lead, under the address of the suite."""
_SALT = "coachops.letters"
_ID = 16
_CLIENT = Actor(None, "service", "client")
"""Who the records name: somebody who holds the link, not a user."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page behind the link shows.

    Attributes:
        coach_name: whose letters; empty where the letter is not kept any more.
        address: the mailbox, mostly hidden.
        stopped: whether the reader has ended the letters (or reported one).
    """

    coach_name: str
    address: str
    stopped: bool


def letter_token(secret: bytes, message_id: uuid.UUID, address: str) -> str:
    """The token of the link in a letter to `address`, always the same for the same letter."""
    named = message_id.bytes + bytes.fromhex(addresses.address_hash(secret, address))
    return _signer(secret).sign(base64.urlsafe_b64encode(named).rstrip(b"=")).decode("ascii")


def read_letter_token(secret: bytes, token: str) -> tuple[uuid.UUID, str]:
    """The letter and the hash of the address that a token was made for.

    Raises:
        CoachError: COACH-MSG-007 where it was not made by this installation.
    """
    try:
        text = _signer(secret).unsign(token.encode())
        named = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (BadSignature, binascii.Error, UnicodeError):
        raise CoachError("COACH-MSG-007") from None
    if len(named) != _ID + addresses.HASH_LENGTH // 2:
        raise CoachError("COACH-MSG-007")
    return uuid.UUID(bytes=named[:_ID]), named[_ID:].hex()


def open_choice(database: Database, secret: bytes, token: str) -> Choice:
    """What to show to who opens the link; opening it changes nothing.

    Raises:
        CoachError: COACH-MSG-007.
    """
    message_id, hashed = read_letter_token(secret, token)
    with database.read() as session:
        message = _letter(session, message_id, hashed, secret)
        coach = session.get_one(Coach, message.coach_id) if message is not None else None
        return Choice(
            coach_name=coach.name if coach is not None else "",
            address=_hidden(message.recipient_email) if message is not None else "",
            stopped=suppression.stands(session, hashed, {"opt_out", "complaint"}),
        )


def stop_letters(database: Database, secret: bytes, token: str) -> None:
    """Write no more to the address of this letter; safe to repeat.

    Raises:
        CoachError: COACH-MSG-007; the errors of the database where nothing can be kept now.
    """
    message_id, hashed = read_letter_token(secret, token)

    def work(session: Session) -> None:
        known = _letter(session, message_id, hashed, secret)
        suppress(
            session, hashed, "opt_out", "link", secret,
            message_id=known.id if known is not None else None, actor=_CLIENT,
        )  # fmt: skip

    database.run(work)


def resume_letters(database: Database, secret: bytes, token: str) -> None:
    """Write again to the address of this letter, as its reader asks; safe to repeat.

    An address that takes no mail stays on the list: opening a link does not prove that it does.

    Raises:
        CoachError: as `stop_letters`.
    """
    message_id, hashed = read_letter_token(secret, token)

    def work(session: Session) -> None:
        if lift_rows(session, hashed, {"opt_out", "complaint"}, actor=None):
            audit.record(session, _CLIENT, "address.allowed", "message", message_id)

    database.run(work)


def _letter(session: Session, message_id: uuid.UUID, hashed: str, secret: bytes) -> Message | None:
    """The letter, if it is still kept and addressed to the same mailbox."""
    message = session.get(Message, message_id)
    if message is None or addresses.address_hash(secret, message.recipient_email) != hashed:
        return None
    return message


def _hidden(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}\u2022\u2022\u2022@{domain}"


def _signer(secret: bytes) -> Signer:
    return Signer(secret, salt=_SALT)
