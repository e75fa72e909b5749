"""Reading what mail servers send back: delivery reports (RFC 3464) and complaints (RFC 5965).

Only what the report says in its machine-readable part counts, and only about a letter that it names
(see `references`). Everything in it was written by strangers, so size, number of parts and depth are
limited before anything is parsed, and no text of it is kept or shown.
"""

from __future__ import annotations

import datetime as dt
import email
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.policy import compat32
from email.utils import parsedate_to_datetime
from typing import Literal

from coachops.coaching.messages.events import EventKind, Reported, record_reports
from coachops.coaching.messages.references import (
    LETTER_HEADER,
    Letter,
    read_ref,
    read_return_address,
)
from coachops.coaching.messages.statuses import enhanced_status
from coachops.core.errors import CoachError
from coachops.db import Database

MAX_BYTES = 512 * 1024
"""A report holds the headers of a letter or the whole of it; ours have no attachments."""
_MAX_CONTAINERS = 20
_MAX_PARTS = 60
_MAX_HEADERS = 2_000
_CONTAINER = re.compile(rb"(?i)(?:multipart|message)/")
_ENVELOPE = ("Delivered-To", "X-Original-To", "Envelope-To", "To")
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"})
_COMPLAINTS = frozenset({"abuse", "fraud"})
_ACTIONS: dict[str, EventKind] = {
    "failed": "bounced",
    "delayed": "delayed",
    "delivered": "delivered",
}
"""Action of RFC 3464, section 2.3.3; relayed and expanded do not tell what became of the letter."""


@dataclass(frozen=True, slots=True)
class MailReport:
    """What a mail says about a letter.

    Attributes:
        kind: None where it is no report, or one that tells nothing (an automatic answer).
        letter: None where it names none of ours.
        status: enhanced status code, or empty.
        at: the mail's date, where it has one.
    """

    kind: EventKind | None
    letter: Letter | None
    status: str
    at: dt.datetime | None

    def reported(self, data: bytes) -> Reported | None:
        """The event to record; None where there is none. The same mail again has the same key."""
        if self.kind is None:
            return None
        key = hashlib.sha256(data).hexdigest()
        return Reported(key, self.kind, "report", self.letter, self.status, self.at)


Outcome = Literal["recorded", "duplicate", "unknown", "no_report"]


@dataclass(frozen=True, slots=True)
class TakenMail:
    """What became of a mail.

    Attributes:
        outcome: `unknown` is a report about no letter of ours, `no_report` tells nothing about one.
        kind: what it reports, if anything.
    """

    outcome: Outcome
    kind: EventKind | None
    status: str


def take_mail(database: Database, data: bytes, secret: bytes) -> TakenMail:
    """Read a mail from a mail server and record what it reports; the same mail again is one report.

    Raises:
        CoachError: COACH-MSG-013.
    """
    report = read_report(data, secret)
    reported = report.reported(data)
    if reported is None:
        return TakenMail("no_report", None, "")
    (taken,) = record_reports(database, [reported], secret)
    return TakenMail(taken, report.kind, report.status)


def read_report(data: bytes, secret: bytes) -> MailReport:
    """What a mail reports.

    Parameters:
        data: the mail as it came (`.eml`).
        secret: of the letters, `services.secret("feedback")`.

    Raises:
        CoachError: COACH-MSG-013 where it is too large, too deep or not to be read.
    """
    if len(data) > MAX_BYTES:
        raise CoachError("COACH-MSG-013", reason=f"it is larger than {MAX_BYTES // 1024} KB")
    # each level of nesting makes every line dearer to read: counted before anything is parsed
    if len(_CONTAINER.findall(data)) > _MAX_CONTAINERS:
        raise CoachError("COACH-MSG-013", reason="it holds too many parts within parts")
    if not data.strip():
        raise CoachError("COACH-MSG-013", reason="it is empty")
    try:
        return _read(email.message_from_bytes(data, policy=compat32), secret)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # what the standard library raises for headers and encodings that it cannot make sense of
        raise CoachError("COACH-MSG-013", reason="it is malformed") from error


def _read(mail: Message, secret: bytes) -> MailReport:
    if len(mail) > _MAX_HEADERS:
        raise CoachError("COACH-MSG-013", reason="it has too many header lines")
    kind: EventKind | None = None
    status = ""
    named: Letter | None = None
    for part in _parts(mail):
        content_type = part.get_content_type()
        if content_type == "message/delivery-status":
            kind, status = _delivery(part) or (kind, status)
        elif content_type == "message/feedback-report":
            if _fields(part).get("feedback-type", "").lower() in _COMPLAINTS:
                kind = "complained"
        elif content_type in _RETURNED and part is not mail:
            named = named or _named(part)
    letter = _from_envelope(mail, secret) or named
    return MailReport(kind, letter, status, _date(mail))


def _parts(mail: Message) -> Iterator[Message]:
    """The mail and its direct parts, to a limited number; what was returned is not looked into."""
    waiting, seen = [mail], 0
    while waiting:
        part = waiting.pop(0)
        seen += 1
        if seen > _MAX_PARTS:
            raise CoachError("COACH-MSG-013", reason="it has too many parts")
        yield part
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting += part.get_payload()  # type: ignore[arg-type]  # a list where is_multipart()


def _delivery(part: Message) -> tuple[EventKind, str] | None:
    """Kind and status of a delivery report; the worst where it has several recipients."""
    found: list[tuple[EventKind, str]] = []
    for block in _blocks(part)[1:]:
        kind = _ACTIONS.get(_text(block, "Action").strip().lower())
        if kind is not None:
            found.append((kind, _status(block)))
    return min(found, key=lambda each: _WORST.index(each[0]), default=None)


_WORST = ("bounced", "delayed", "delivered", "complained")


def _status(block: Message) -> str:
    """The status; the server's own words are more exact where it says only that it failed."""
    status = enhanced_status(_text(block, "Status"))
    if status in {"", "5.0.0", "4.0.0"}:
        return enhanced_status(_text(block, "Diagnostic-Code")) or status
    return status


def _blocks(part: Message) -> list[Message]:
    """The groups of fields of a status part: of the letter first, then of each recipient."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [each for each in payload if isinstance(each, Message)]
    return [
        email.message_from_string(block, policy=compat32)
        for block in re.split(r"\r?\n\r?\n", _decoded(part).strip())
    ]


def _fields(part: Message) -> dict[str, str]:
    """The fields of a feedback report, names in lower case."""
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        inner = email.message_from_string(_decoded(part).lstrip(), policy=compat32)
    fields = {name.lower(): str(value).strip() for name, value in inner.items()}
    if not fields and isinstance(inner.get_payload(), str):
        text = str(inner.get_payload()).lstrip()
        fields = {
            name.lower(): str(value).strip()
            for name, value in email.message_from_string(text, policy=compat32).items()
        }
    return fields


def _named(part: Message) -> Letter | None:
    """The letter that a returned message, or its headers, name."""
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        inner = email.message_from_string(_decoded(part).lstrip(), policy=compat32)
    for header in (LETTER_HEADER, "Message-ID"):
        found = read_ref(_text(inner, header))
        if found is not None:
            return found
    return None


def _from_envelope(mail: Message, secret: bytes) -> Letter | None:
    """The letter whose return address this mail was sent to."""
    for header in _ENVELOPE:
        for value in mail.get_all(header, [])[:10]:
            found = read_return_address(str(value)[:1000], secret)
            if found is not None:
                return found
    return None


def _text(block: Message, header: str) -> str:
    return " ".join(str(block.get(header, "")).split())[:1000]


def _decoded(part: Message) -> str:
    """The text of a part, whatever its transfer encoding."""
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _date(mail: Message) -> dt.datetime | None:
    try:
        found = parsedate_to_datetime(_text(mail, "Date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
