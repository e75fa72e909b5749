"""Where backups lie: a folder or a bucket, with the few acts that a backup needs.

Names are paths below the place with `/`. A file is there whole or not at all: a reader never sees
half of one. Implementations: `folder` (another disk, a mounted share) and `bucket` (`s3://`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.core.settings import Settings

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


def open_place(settings: Settings) -> Place:
    """The place that the settings name; nothing is read or made yet.

    Raises:
        CoachError: COACH-SYS-001 for an address that is none.
    """
    url = settings.storage_url.strip()
    if url.startswith("s3://"):
        if not url.removeprefix("s3://").split("/", 1)[0] or "@" in url or "?" in url:
            raise _refused("write it as s3://bucket/prefix; keys belong into AWS_ACCESS_KEY_ID")
        from coachops.backup.bucket import BucketPlace  # noqa: PLC0415 one of the two is used

        return BucketPlace(url)
    from coachops.backup.folder import FolderPlace  # noqa: PLC0415 as above

    if not url:
        return FolderPlace(settings.home / "backups", make=True)
    path = Path(url.removeprefix("file://")).expanduser()
    if "://" in str(url.removeprefix("file://")) or not path.is_absolute():
        raise _refused("it must be a whole path such as /mnt/backups, or s3://bucket/prefix")
    return FolderPlace(path)


def _refused(reason: str) -> CoachError:
    return CoachError("COACH-SYS-001", name="COACHOPS_STORAGE_URL", reason=reason)
