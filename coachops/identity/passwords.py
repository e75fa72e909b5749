"""Passwords: what a good one is, and argon2id around them.

The parameters are argon2-cffi's defaults (RFC 9106, low-memory profile: 64 MiB, 3 passes); the
policy follows NIST SP 800-63B: length counts, composition rules do not.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from coachops.core.errors import CoachError

MIN_LENGTH = 12
MAX_LENGTH = 200
"""Longer texts are refused before they are hashed: an unbounded input is a way to waste our time."""

_COMMON = frozenset(
    [
        "password1234",
        "passwordpassword",
        "123456789012",
        "qwertyuiop12",
        "qwertyuiopas",
        "iloveyou1234",
        "welcome12345",
        "letmein12345",
        "administrator",
        "changeme1234",
        "correcthorsebatterystaple",
    ]
)
_HASHER = PasswordHasher()
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each check takes 64 MiB: a flood of sign-ins waits here instead of filling the memory."""


def check_policy(password: str, email: str) -> str:
    """`password` in the normal form that is hashed (NFKC, so that every keyboard gives the same).

    Raises:
        CoachError: COACH-IDN-006 with the rule that it breaks.
    """
    password = normal(password)
    if len(password) < MIN_LENGTH:
        raise CoachError("COACH-IDN-006", reason=f"needs at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise CoachError("COACH-IDN-006", reason=f"may have at most {MAX_LENGTH} characters")
    lowered = password.casefold()
    if lowered in {email.casefold(), email.partition("@")[0].casefold()}:
        raise CoachError("COACH-IDN-006", reason="must not be your e-mail address")
    if lowered in _COMMON or len(set(lowered)) < 5:
        raise CoachError("COACH-IDN-006", reason="is among the first that an attacker tries")
    return password


def normal(password: str) -> str:
    """The normal form of a typed password."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _AT_ONCE:
        return _HASHER.hash(_bytes(password))


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` belongs to `stored`; takes as long where nothing is stored.

    So the time of an answer does not tell whether an account exists.
    """
    if len(password) > MAX_LENGTH:
        password = ""
    with _AT_ONCE:
        try:
            _HASHER.verify(stored or _nobody(), _bytes(password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobody() -> str:
    """A hash that no password of a user has."""
    return _HASHER.hash("nobody has this password")


def _bytes(password: str) -> bytes:
    """What is hashed; half characters, which are no UTF-8, are passed on as they are."""
    return normal(password).encode("utf-8", "surrogatepass")
