"""Secrets that deliveries are signed with: made here, sealed in the database, opened to sign.

A hash would not do, for signing needs the secret itself. So it is encrypted (AES-256-GCM, bound to
its endpoint) with a key from the home folder: a copy of the database alone signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import uuid

from coachops.core.errors import CoachError

PREFIX = "whsec_"
_BYTES = 32
_NONCE = 12


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode("ascii")


class Seal:
    """Seals and opens secrets.

    Parameters:
        secret: the installation's own, from which the key is derived.

    Attribute `key_id` names the key: what another one has sealed is recognised before it is tried.
    """

    def __init__(self, secret: bytes) -> None:
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 not for --help
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 as above

        derived = HKDF(SHA256(), length=32, salt=None, info=b"coachops webhook secrets v1")
        self._key = derived.derive(secret)
        self.key_id = hashlib.sha256(b"key id" + self._key).hexdigest()[:16]

    def close(self, secret: str, endpoint_id: uuid.UUID) -> str:
        """The secret, sealed for this endpoint."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 as above

        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._key).encrypt(nonce, secret.encode("ascii"), endpoint_id.bytes)
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, endpoint_id: uuid.UUID, key_id: str) -> str:
        """The secret of this endpoint.

        Raises:
            CoachError: COACH-WHK-005 sealed with another key, or for another endpoint.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 as above
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 as above

        if key_id == self.key_id:
            try:
                raw = base64.b64decode(sealed, validate=True)
                opened = AESGCM(self._key).decrypt(raw[:_NONCE], raw[_NONCE:], endpoint_id.bytes)
                return opened.decode("ascii")
            except (InvalidTag, ValueError):
                pass
        raise CoachError("COACH-WHK-005", ref=endpoint_id)
