"""What may stand in a message: one plain address, one line of subject, a body of sane length."""

from __future__ import annotations

import re
import unicodedata

from coachops.core.errors import CoachError
from coachops.core.text import clean, is_blank

SUBJECT_LIMIT = 200
BODY_LIMIT = 20_000
ADDRESS_LIMIT = 200

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*", re.ASCII)
"""The dot-atom form of RFC 5322, section 3.4.1: no quoted local parts, comments or literals."""


def checked_address(address: str) -> str:
    """`address` if it is one single e-mail address in the plain form.

    Raises:
        CoachError: COACH-MSG-002 where it is empty, COACH-MSG-006 where it is not one address.
    """
    if not address.strip():
        raise CoachError("COACH-MSG-002")
    if len(address) > ADDRESS_LIMIT or not _ADDRESS.fullmatch(address):
        raise CoachError(
            "COACH-MSG-006", field="recipient", reason="it is not one plain e-mail address"
        )
    if len(address.partition("@")[0]) > 64:
        raise CoachError(
            "COACH-MSG-006", field="recipient", reason="the part before the @ is too long"
        )
    return address


def checked_subject(subject: str) -> str:
    """`subject`, trimmed, if it is one line that a header can hold.

    Raises:
        CoachError: COACH-MSG-006.
    """
    subject = clean(subject).text.strip()
    if is_blank(subject):
        raise CoachError("COACH-MSG-006", field="subject", reason="it is empty")
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in subject):
        raise CoachError(
            "COACH-MSG-006", field="subject", reason="it holds a line break or control character"
        )
    if len(subject) > SUBJECT_LIMIT:
        raise CoachError(
            "COACH-MSG-006", field="subject", reason=f"it is longer than {SUBJECT_LIMIT} characters"
        )
    return subject


def checked_body(body: str) -> str:
    """`body` with plain line ends, without trailing space, if there is something to read in it.

    Raises:
        CoachError: COACH-MSG-006.
    """
    body = clean(body).text.replace("\r\n", "\n").replace("\r", "\n")
    body = "\n".join(line.rstrip() for line in body.split("\n")).strip("\n")
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in body):
        raise CoachError("COACH-MSG-006", field="text", reason="it holds control characters")
    if is_blank(body):
        raise CoachError("COACH-MSG-006", field="text", reason="it is empty")
    if len(body) > BODY_LIMIT:
        raise CoachError(
            "COACH-MSG-006", field="text", reason=f"it is longer than {BODY_LIMIT} characters"
        )
    return body + "\n"


def one_line(text: str) -> str:
    """`text` as a header or a greeting can hold it: no control characters, single spaces."""
    cleaned = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(cleaned.split())
