"""Sealing files: zstd inside, age outside (age-encryption.org/v1), so that `age -d | zstd -d` opens them.

Age is authenticated: a changed byte makes the opening fail. Both run as streams; a file of any size
takes a few megabytes of memory.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDING = ".zst.age"
_LEVEL = 3
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """Size and SHA-256 of a file as sealed, and of what is inside."""

    bytes: int
    sha256: str
    plain_bytes: int
    plain_sha256: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may open backups.

    Attributes:
        recipients: public keys (`age1…`) that everything is sealed for.
        identities: secret keys at hand (`AGE-SECRET-KEY-…`); none where only sealing is possible.
    """

    recipients: tuple[str, ...]
    identities: tuple[str, ...] = ()

    def seal(self, source: Path, target: Path) -> Sealed:
        """Write `source` sealed to `target` (mode 0600), durable when this returns.

        Raises:
            CoachError: COACH-BKP-008 where a recipient is none.
            OSError: no space, say.
        """
        import pyrage  # type: ignore[import-untyped]  # noqa: PLC0415 4 MB, only where used
        import zstandard  # noqa: PLC0415 as above

        recipients = [_recipient(text) for text in self.recipients]
        if not recipients:
            raise CoachError("COACH-BKP-008", reason="there is no public key to seal for")
        with source.open("rb") as plain, _private(target) as file:
            reader = _Counting(plain)
            writer = _Counting(file)
            packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_reader(
                reader,  # type: ignore[arg-type]  # it is asked for `read` only
                read_size=_BLOCK,
            )
            try:
                pyrage.encrypt_io(packed, writer, recipients)
            except pyrage.EncryptError as error:
                # the library tells only the words of what a stream raised
                raise reader.failure or writer.failure or OSError(str(error)) from error
            file.flush()
            os.fsync(file.fileno())
        return Sealed(writer.count, writer.sha256, reader.count, reader.sha256)

    def open(self, source: Path, target: Path) -> Sealed:
        """Write what is inside `source` to `target` (mode 0600).

        Raises:
            CoachError: COACH-BKP-008 without a secret key, COACH-BKP-009 where none of them opens
                it or it was changed.
        """
        import pyrage  # noqa: PLC0415 4 MB, only where used
        import zstandard  # noqa: PLC0415 as above

        identities = [_identity(text) for text in self.identities]
        if not identities:
            raise CoachError("COACH-BKP-008", reason="there is no secret key to open it with")
        with source.open("rb") as sealed, _private(target) as file:
            reader, writer = _Counting(sealed), _Counting(file)
            unpacked = zstandard.ZstdDecompressor().stream_writer(
                writer,  # type: ignore[arg-type]  # it is asked for `write` only
                closefd=False,
            )
            try:
                pyrage.decrypt_io(reader, unpacked, identities)
            except (pyrage.DecryptError, zstandard.ZstdError, OSError) as error:
                if writer.failure or reader.failure:
                    raise
                raise CoachError("COACH-BKP-009", reason=_reason(error), recipients="?") from error
            file.flush()
            os.fsync(file.fileno())
        return Sealed(reader.count, reader.sha256, writer.count, writer.sha256)


def fingerprint(recipient: str) -> str:
    """The short name of a public key, to show and compare."""
    return hashlib.sha256(recipient.strip().encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Counting:
    """A stream that counts and hashes what passes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.count = 0
        self.failure: OSError | None = None

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except OSError as error:
            self.failure = error
            raise
        self.count += len(data)
        self._hash.update(data)
        return data

    def write(self, data: Any) -> int:
        try:
            written = self._stream.write(data)
        except OSError as error:
            self.failure = error
            raise
        self.count += len(data)
        self._hash.update(data)
        return written

    def flush(self) -> None:
        self._stream.flush()


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _recipient(text: str) -> Any:
    import pyrage  # noqa: PLC0415 4 MB, only where used

    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as error:
        raise CoachError(
            "COACH-BKP-008", reason="a public key must look like age1… and be whole"
        ) from error


def _identity(text: str) -> Any:
    import pyrage  # noqa: PLC0415 4 MB, only where used

    try:
        return pyrage.x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError as error:
        raise CoachError("COACH-BKP-008", reason="a secret key is not whole") from error


def identities_in(text: str) -> tuple[str, ...]:
    """The secret keys in the text of an identity file (lines with `#` are remarks).

    Raises:
        CoachError: COACH-BKP-008 where one is not whole.
    """
    found = tuple(
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")
    )
    for each in found:
        _identity(each)
    return found


def public_keys(identities: Sequence[str]) -> tuple[str, ...]:
    """The public keys of secret ones."""
    return tuple(str(_identity(each).to_public()) for each in identities)


def new_identity() -> str:
    """A new secret key."""
    import pyrage  # noqa: PLC0415 4 MB, only where used

    return str(pyrage.x25519.Identity.generate())


def _reason(error: Exception) -> str:
    return "no key at hand opens it" if "matching" in str(error).lower() else "it was changed"
