"""Where backups lie: a folder or a bucket, with the few acts that a backup needs.

Names are paths below the place with `/`. A file is there whole or not at all: a reader never sees
half of one. Implementations: `folder` (another disk, a mounted share) and `bucket` (`s3://`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SMALL = 4_000_000
"""Bytes that `read` takes at most: manifests, keys."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at the place."""

    name: str
    bytes: int
    changed_at: dt.datetime


class Place(Protocol):
    """A second place.

    Every act raises COACH-BKP-001 (not reachable), COACH-BKP-002 (refused), COACH-BKP-003 (bucket
    or folder missing) or COACH-BKP-004 (no space); reading what is not there raises
    `FileNotFoundError`.
    """

    @property
    def url(self) -> str:
        """Its address, to show; without passwords."""

    def put(self, name: str, source: Path) -> None:
        """Copy a local file there; durable when this returns. One of that name is replaced."""

    def write(self, name: str, data: bytes) -> None:
        """As `put`, with the bytes themselves."""

    def get(self, name: str, target: Path) -> None:
        """Copy a file from there to a local path."""

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every file whose name begins with `prefix`, by name."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
