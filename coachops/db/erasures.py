"""Who was erased and must not come back by itself: what each writer of clients asks first.

The list holds keyed hashes, so it can outlive a client without holding whom it was about. The key is
a secret of the installation (`secrets/erasures` of its home). A list made with another key cannot be
read: then nobody knows who is on it, and no new client is made.
"""

from __future__ import annotations

import hmac
import unicodedata
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import files
from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db.models import Erasure
from coachops.db.transaction import Database

ERASED = "COACH-PRV-003"
_SECRET = "erasures"  # noqa: S105 the name of a file
_LENGTH = 32


def key_of(database: Database) -> bytes:
    """The key of the hashes, made at its first use.

    A database without a home (a scratch one) has a fixed key: its list is nobody else's.
    """
    home: Path | None = database.home
    if home is None:
        return b"coachops.erasures.scratch"
    return files.write_once(home / "secrets" / _SECRET, ids.new_token()).encode()


def key_id(key: bytes) -> str:
    """A name of the key that tells nothing about it."""
    return hmac.digest(key, b"name", "sha256").hex()[:16]


def hash_of(key: bytes, kind: str, text: str) -> str:
    """The keyed hash of an external id (`external`) or an address (`email`): 32 hex digits."""
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    return hmac.digest(key, f"{kind}\n{plain}".encode(), "sha256").hex()[:_LENGTH]


def require_new(session: Session, key: bytes, external_id: str, email: str | None) -> None:
    """Refuse to make a client who was erased; the same person may be taken in again by a person.

    Raises:
        CoachError: COACH-PRV-003; COACH-PRV-005 where the list was made with another key.
    """
    if session.scalar(_standing().where(Erasure.key_id != key_id(key)).limit(1)) is not None:
        raise CoachError("COACH-PRV-005")
    same = Erasure.external_hash == hash_of(key, "external", external_id)
    if email:
        same = sa.or_(same, Erasure.email_hash == hash_of(key, "email", email))
    if session.scalar(_standing().where(same).limit(1)) is not None:
        raise CoachError(ERASED)


def _standing() -> sa.Select[object]:
    return sa.select(Erasure.client_id).where(Erasure.readmitted_at.is_(None))
