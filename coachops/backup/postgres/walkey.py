"""The key of the shipped log: an age pair of its own, whose secret half is sealed into every backup.

The log is sealed for it and for whoever may open backups. Whoever opens a backup finds the secret
half inside, so one key in escrow opens everything, and a drill that opens the backup with the
escrow copy has proven the log, too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from coachops.backup.sealing import Keys, identities_in, new_identity, public_keys
from coachops.core.errors import CoachError

PART = "wal.key"
"""Name of the part of a backup, and of the file among the secrets."""


def make(home: Path) -> str:
    """The secret half, made at its first use; a file that was damaged is replaced by a new pair."""
    path = home / "secrets" / PART
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError, CoachError, UnicodeDecodeError):
        if found := identities_in(path.read_text()):
            return found[0]
        path.unlink()
    draft = path.with_name(f".{PART}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(new_identity() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process made it just now
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    return identities_in(path.read_text())[0]


def sealing_keys(home: Path, keys: Keys) -> Keys:
    """Whom the log is sealed for."""
    return Keys((*keys.recipients, *public_keys((make(home),))))
