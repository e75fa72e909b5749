"""When two ways of writing an e-mail address mean the same mailbox, and its hash.

Capital letters do not matter, a domain counts in its ASCII form (IDNA, RFC 3490), and a dot at its
end is dropped. `ada+coaching@…` and `ada@…` stay two addresses: only the server behind them knows.
The hash is keyed with a secret of the installation: who reads the database cannot try addresses.
"""

from __future__ import annotations

import contextlib
import hmac
import unicodedata

_PURPOSE = b"coachops.suppression"
HASH_LENGTH = 32


def normalised(address: str) -> str:
    """The one way of writing this address; any text has one, so nothing is refused here."""
    local, _, domain = unicodedata.normalize("NFKC", address).strip().rpartition("@")
    domain = domain.strip().rstrip(".").casefold()
    with contextlib.suppress(UnicodeError):  # no domain that mail reaches: matched as it stands
        domain = domain.encode("idna").decode("ascii")
    return f"{local.strip().casefold()}@{domain.lower()}"


def key_of(secret: bytes) -> bytes:
    """The key of the hashes, derived from the secret of the letters' links."""
    return hmac.digest(secret, _PURPOSE, "sha256")


def key_id(secret: bytes) -> str:
    """A name of the key that tells nothing about it."""
    return hmac.digest(key_of(secret), b"name", "sha256").hex()[:16]


def address_hash(secret: bytes, address: str) -> str:
    """The keyed hash of an address, equal for equal mailboxes: 32 hexadecimal digits."""
    digest = hmac.digest(key_of(secret), normalised(address).encode(), "sha256")
    return digest.hex()[:HASH_LENGTH]
