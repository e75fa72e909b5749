"""The only source of identifiers: UUIDv7 (RFC 9562), so that keys sort by time of creation."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid


def new_id(at: dt.datetime | None = None) -> uuid.UUID:
    """A new UUIDv7, for now or (imported history) for the instant `at`."""
    import uuid_utils  # noqa: PLC0415 kept out of the import of the command line

    if at is None:
        return uuid.UUID(bytes=uuid_utils.uuid7().bytes)
    return uuid7_from(int(at.timestamp() * 1000), secrets.randbits(74))


def uuid7_from(unix_ms: int, random_74_bits: int) -> uuid.UUID:
    """The UUIDv7 of a millisecond timestamp and 74 given bits: reproducible ids for seeding.

    Layout: RFC 9562, section 5.7 (48 bits time, version 7, 12 bits, variant 10, 62 bits).
    """
    high = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random_74_bits >> 62 & 0xFFF) << 64
    return uuid.UUID(int=high | 0b10 << 62 | random_74_bits & 0x3FFF_FFFF_FFFF_FFFF)


def new_token(n_bytes: int = 32) -> str:
    """A URL-safe secret of `n_bytes` random bytes."""
    return secrets.token_urlsafe(n_bytes)


def parse_id(text: str) -> uuid.UUID | None:
    """The UUID written in `text`, or None where it is not one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
