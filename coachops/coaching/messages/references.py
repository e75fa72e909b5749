"""How a report of a mail server names one of our letters: by Message-ID, by header, by return address.

Each holds the letter's random id, and the return address also a signature, so nobody can report
about a letter that they never had. A report that names no letter is never matched by guess.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import uuid

from coachops.core.ids import parse_id

LETTER_HEADER = "X-Coachops-Letter"
"""Some mail services give letters a Message-ID of their own; this header they leave alone."""

_REF = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,6})", re.ASCII)
_MESSAGE_ID = re.compile(rf"<?{_REF.pattern}@[^\s<>@]{{1,255}}>?", re.ASCII)
_TOKEN = re.compile(r"\+([a-z2-7]{44})@", re.ASCII | re.IGNORECASE)
_PURPOSE = b"coachops.return"
_MAC = 8
_LOCAL_LIMIT = 64  # RFC 5321, section 4.5.3.1.1

Letter = tuple[uuid.UUID, int]
"""Message and version."""


def letter_ref(message_id: uuid.UUID, version: int) -> str:
    """The reference of a version, as it stands in the Message-ID and in `LETTER_HEADER`."""
    return f"{message_id}.{version}"


def read_ref(text: str) -> Letter | None:
    """The letter that a Message-ID or a value of `LETTER_HEADER` names; None where it is not ours."""
    found = _REF.fullmatch(text.strip()) or _MESSAGE_ID.fullmatch(text.strip())
    message_id = parse_id(found[1]) if found else None
    return (message_id, int(found[2])) if found and message_id is not None else None


def return_address(bounce_address: str, message_id: uuid.UUID, version: int, secret: bytes) -> str:
    """The bounce address with the letter's signed token, in letters that survive lower case.

    Where the local part would grow beyond what mail allows, the plain address is used.
    """
    local, _, domain = bounce_address.rpartition("@")
    named = message_id.bytes + version.to_bytes(3, "big")
    token = base64.b32encode(named + _sign(named, secret)).decode("ascii").rstrip("=").lower()
    full = f"{local}+{token}"
    return f"{full}@{domain}" if len(full) <= _LOCAL_LIMIT else bounce_address


def read_return_address(text: str, secret: bytes) -> Letter | None:
    """The letter that a recipient address of a report names, if the token in it is ours."""
    found = _TOKEN.search(text)
    if found is None:
        return None
    token = found[1].upper()
    try:
        raw = base64.b32decode(token + "=" * (-len(token) % 8))
    except binascii.Error:
        return None
    named, signature = raw[:-_MAC], raw[-_MAC:]
    if not hmac.compare_digest(signature, _sign(named, secret)):
        return None
    return uuid.UUID(bytes=named[:16]), int.from_bytes(named[16:], "big")


def _sign(named: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + named, "sha256")[:_MAC]
