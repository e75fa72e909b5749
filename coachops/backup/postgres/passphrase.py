"""The passphrase of pgBackRest's repository.

It is made by `setup`, lies among the installation's secrets, and is sealed into every backup: whoever
may open backups has it, so the one key that lies in escrow opens this engine's backups, too. On the
database host it also stands in pgBackRest's own configuration, since the server's archive command
needs it day and night; that copy is used where the first is lost.
"""

from __future__ import annotations

import configparser
import contextlib
import secrets
from pathlib import Path

from coachops import files
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
    found, path = at_hand(home, config), home / "secrets" / PART
    if found and path.exists():  # perhaps damaged: then the copy on the database host is the one
        return found
    return files.write_once(path, found or secrets.token_urlsafe(32)).strip()
