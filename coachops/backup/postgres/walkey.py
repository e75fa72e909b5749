"""The key of the shipped log: an age pair of its own, whose secret half is sealed into every backup.

The log is sealed for it and for whoever may open backups. Whoever opens a backup finds the secret
half inside, so one key in escrow opens everything, and a drill that opens the backup with the
escrow copy has proven the log, too.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from coachops import files
from coachops.backup.sealing import Keys, identities_in, new_identity, public_keys
from coachops.core.errors import CoachError

PART = "wal.key"
"""Name of the part of a backup, and of the file among the secrets."""


def make(home: Path) -> str:
    """The secret half, made at its first use; a file that was damaged is replaced by a new pair."""
    path = home / "secrets" / PART
    with contextlib.suppress(OSError, CoachError, UnicodeDecodeError):
        if found := identities_in(path.read_text()):
            return found[0]
        path.unlink()
    return identities_in(files.write_once(path, new_identity() + "\n"))[0]


def sealing_keys(home: Path, keys: Keys) -> Keys:
    """Whom the log is sealed for."""
    return Keys((*keys.recipients, *public_keys((make(home),))))
