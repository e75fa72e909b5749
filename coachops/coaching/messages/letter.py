"""The letter itself: what the preview shows is what the mail server gets.

Sender address from the settings with the coach's name, answers to the coach, one recipient, plain
text and the same words as HTML, the feedback link, a line that says software drafted it, and the
link that ends the letters. These last three are added here, not in the body, so that no edit can
lose them.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from coachops.coaching.feedback import feedback_token
from coachops.coaching.messages import opt_out, rows
from coachops.coaching.messages.checks import checked_address, checked_subject, one_line
from coachops.coaching.messages.opt_out import letter_token
from coachops.coaching.messages.references import LETTER_HEADER, letter_ref, return_address
from coachops.coaching.messages.rendering import blocks, render
from coachops.coaching.messages.rows import MessageRow
from coachops.coaching.messages.wire import POLICY
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database

AI_LABEL = (
    "How this was written: software (AI) drafted this message from the record of our session; "
    "{coach} read it and approved it."
)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all letters of an installation share.

    Attributes:
        mail_from: sender address.
        organisation: name below the letter.
        public_url: origin of the links.
        feedback_secret: signs the links.
        bounce_address: where mail servers report to; empty for the sender's address.
    """

    mail_from: str
    organisation: str
    public_url: str
    feedback_secret: bytes
    bounce_address: str = ""

    def opt_out_url(self, row: MessageRow) -> str:
        """The link of a letter that ends the letters to its address."""
        token = letter_token(self.feedback_secret, row.id, row.recipient_email)
        return f"{self.public_url}{opt_out.PATH}{token}"

    def return_path(self, row: MessageRow) -> str:
        """The envelope's sender, to which servers return what they cannot deliver."""
        if not self.bounce_address:
            return self.mail_from
        return return_address(self.bounce_address, row.id, row.version, self.feedback_secret)


@dataclass(frozen=True, slots=True)
class Preview:
    """A letter as it would leave now; `recipients` are all that would get it."""

    recipients: tuple[str, ...]
    sender: str
    reply_to: str
    subject: str
    text: str
    html: str


def letterhead_for(settings: Settings, feedback_secret: bytes) -> Letterhead:
    """The letterhead of this installation (`services.secret("feedback")` is the secret).

    Raises:
        CoachError: COACH-SYS-001 where COACHOPS_MAIL_FROM or COACHOPS_BOUNCE_ADDRESS is not an
            address.
    """
    for name in ("mail_from", "bounce_address"):
        address = getattr(settings, name)
        try:
            if address or name == "mail_from":
                checked_address(address)
        except CoachError:
            raise CoachError(
                "COACH-SYS-001",
                name=f"COACHOPS_{name.upper()}",
                reason="it is not an e-mail address",
            ) from None
    return Letterhead(
        mail_from=settings.mail_from,
        organisation=one_line(settings.organisation),
        public_url=settings.public_url,
        feedback_secret=feedback_secret,
        bounce_address=settings.bounce_address,
    )


def preview(
    database: Database, actor: Actor, message_id: uuid.UUID, letterhead: Letterhead
) -> Preview:
    """The letter of a message as it would leave now.

    Raises:
        CoachError: COACH-CCH-001 not to be seen; COACH-MSG-002 and COACH-MSG-006 where the
            recipient has no usable address.
    """
    letter = compose(rows.get(database, actor, message_id), letterhead, at=None)
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    if text is None or html is None:
        raise AssertionError("a letter has both parts")
    return Preview(
        recipients=tuple(str(address) for address in letter["To"].addresses),
        sender=str(letter["From"]),
        reply_to=str(letter["Reply-To"]),
        subject=str(letter["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content().replace("\r\n", "\n"),
    )


def message_id_header(message_id: uuid.UUID, version: int, letterhead: Letterhead) -> str:
    """The Message-ID of a version: the same at each attempt, so that mail programs see one letter."""
    return f"<{letter_ref(message_id, version)}@{letterhead.mail_from.rpartition('@')[2]}>"


def compose(row: MessageRow, letterhead: Letterhead, *, at: dt.datetime | None) -> EmailMessage:
    """The letter of a message.

    Parameters:
        at: the instant it was handed over, for the Date header; None for a preview.

    Raises:
        CoachError: COACH-MSG-002, COACH-MSG-006.
    """
    url = f"{letterhead.public_url}/feedback/{feedback_token(letterhead.feedback_secret, row.id)}"
    coach = one_line(row.coach_name)
    shared = {
        "feedback_url": url,
        "label": AI_LABEL.format(coach=coach),
        "organisation": letterhead.organisation,
        "opt_out_url": letterhead.opt_out_url(row),
    }
    letter = EmailMessage(policy=POLICY)
    letter["Message-ID"] = message_id_header(row.id, row.version, letterhead)
    letter[LETTER_HEADER] = letter_ref(row.id, row.version)
    if shared["opt_out_url"].isascii():
        letter["List-Unsubscribe"] = f"<{shared['opt_out_url']}>"
        if letterhead.public_url.startswith("https://"):  # RFC 8058, section 3.1
            letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if at is not None:
        letter["Date"] = format_datetime(at)
    letter["From"] = Address(coach, addr_spec=letterhead.mail_from)
    letter["Reply-To"] = Address(coach, addr_spec=checked_address(row.coach_email))
    letter["To"] = Address(
        one_line(row.recipient_name), addr_spec=checked_address(row.recipient_email)
    )
    letter["Subject"] = checked_subject(row.subject)
    letter.set_content(
        render("mail.txt.j2", body=row.body.rstrip("\n"), **shared), cte="quoted-printable"
    )
    letter.add_alternative(
        render("mail.html.j2", subject=row.subject, blocks=blocks(row.body), **shared),
        subtype="html",
        cte="quoted-printable",
    )
    letter.set_boundary(f"=_{row.id.hex}.{row.version}")
    return letter
