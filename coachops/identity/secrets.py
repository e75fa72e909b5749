"""Bearer secrets: made here, kept in the database as SHA-256 only.

A fast hash is enough for 256 random bits: nobody can guess them (unlike passwords, which get
argon2id in `passwords`).
"""

from __future__ import annotations

import hashlib

from coachops.core import ids


def new_secret(prefix: str = "") -> tuple[str, str]:
    """A secret of 256 random bits and the hash to store."""
    token = prefix + ids.new_token(32)
    return token, digest(token)


def digest(token: str) -> str:
    """The SHA-256 of `token`, in hex; texts that are no token of ours simply match nothing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
