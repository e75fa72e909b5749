"""The signature of a bundle: Ed25519 by a key of the installation, checkable with openssl alone.

What is signed is `SHA256SUMS`, which lists every other file. The key is made from a secret of the
installation (`secrets/export-signing`, mode 0600, in every backup); its fingerprint is the SHA-256
of the public key in DER, as `openssl pkey -pubin -in public-key.pem -outform DER | sha256sum` gives.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from coachops.core.errors import CoachError

SECRET = "export-signing"  # noqa: S105 the name of the file
_PURPOSE = b"coachops export signing key 1\n"
_FINGERPRINT = re.compile("[0-9a-f]{64}")


class SigningKey:
    """The key that signs the bundles of an installation.

    Parameters:
        secret: of the installation, at least 32 random bytes; the same secret is the same key.
    """

    def __init__(self, secret: bytes) -> None:
        seed = hashlib.sha256(_PURPOSE + secret).digest()
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_pem(self) -> bytes:
        """The public key, as `public-key.pem` holds it."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that name the public key."""
        return fingerprint_of(self.public_pem)

    def sign(self, data: bytes) -> bytes:
        """The signature: 64 bytes, the same for the same data."""
        return self._key.sign(data)


def fingerprint_of(pem: bytes) -> str:
    """The fingerprint of a public key.

    Raises:
        ValueError: it is not an Ed25519 public key.
    """
    der = _public(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def signed_by(pem: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the owner of the public key signed `data`."""
    try:
        _public(pem).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def expected_fingerprint(key: str) -> str:
    """The fingerprint that a person names: by itself, or as a file with the public key.

    Raises:
        CoachError: COACH-EXP-015 where it is neither.
    """
    given = key.strip().lower().removeprefix("sha256:").replace(":", "")
    if _FINGERPRINT.fullmatch(given):
        return given
    try:
        return fingerprint_of(Path(key).read_bytes())
    except (OSError, ValueError):
        raise CoachError("COACH-EXP-015", key=key) from None


def _public(pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004 a wrong value in a file
    return key
