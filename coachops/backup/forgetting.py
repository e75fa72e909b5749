"""What a restore must forget again: who was erased since the backup was made.

Whose data that is, this package does not know: `bootstrap` hands it who does. A copy of the list lies
beside the backups, so that an older backup, or an empty machine, learns of later erasures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from coachops.backup.place import Place
from coachops.db import Database

_FOLDER = "erasures/"


class Erasures(Protocol):
    """The erasures of an installation; see `coachops.privacy.replaying`."""

    def journal(self) -> bytes:
        """Everything known, to lie beside the backups."""

    def replay(self, database: Database, brought: Path, into: Path, known: Sequence[bytes]) -> int:
        """Erase again in a restored database and its files; returns how many had come back."""


def place_journal(erasures: Erasures, place: Place, installation: str) -> None:
    """Put a copy of the list beside the backups.

    Raises:
        CoachError: COACH-PRV-009, COACH-BKP-001 to -004.
    """
    text = erasures.journal()
    if text:
        place.write(f"{_FOLDER}{installation}.jsonl", text)


def known_journals(erasures: Erasures, place: Place, installation: str) -> list[bytes]:
    """The lists that can be had: this machine's, and the one beside the backups.

    Raises:
        CoachError: COACH-PRV-009, COACH-BKP-001 to -003: a restore that does not know whom to
            forget must not begin.
    """
    known = [erasures.journal()]
    with contextlib.suppress(FileNotFoundError):
        known.append(place.read(f"{_FOLDER}{installation}.jsonl"))
    return known
