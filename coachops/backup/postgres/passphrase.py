"""The passphrase of pgBackRest's repository.

It is made by `setup`, lies among the installation's secrets, and is sealed into every backup: whoever
may open backups has it, so the one key that lies in escrow opens this engine's backups, too. On the
database host it also stands in pgBackRest's own configuration, since the server's archive command
needs it day and night; that copy is used where the first is lost.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import secrets
from pathlib import Path

from coachops.core.errors import CoachError

PART = "pgbackrest.pass"
"""Name of the part of a backup, and of the file among the secrets."""


def at_hand(home: Path, config: Path) -> str | None:
    """The passphrase on this machine; None where there is none that can be read.

    Parameters:
        home: of the installation.
        config: pgBackRest's configuration.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := (home / "secrets" / PART).read_text().strip():
            return text
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=False)
    with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read_string(config.read_text())
        return parser.get("global", "repo1-cipher-pass", fallback=None)
    return None


def require(home: Path, config: Path) -> str:
    """The passphrase to work on the repository with.

    Raises:
        CoachError: COACH-BKP-027 where this machine has none.
    """
    found = at_hand(home, config)
    if not found:
        raise CoachError("COACH-BKP-027", reason="the passphrase of its repository is not here")
    return found


def make(home: Path, config: Path) -> str:
    """The passphrase, made (256 random bits) where there is none; it stands among the secrets then."""
    found = at_hand(home, config)
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / PART
    if found and path.exists():
        return found
    draft = folder / f".{PART}.{secrets.token_hex(8)}"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(found or secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process made it just now
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()
