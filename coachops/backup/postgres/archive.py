"""The archived log: which of its files are at the place, how far they reach, which may go."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coachops.backup.folder import FolderPlace
from coachops.backup.model import Manifest, StoredFile
from coachops.backup.place import Entry, Place
from coachops.backup.postgres import live
from coachops.backup.postgres.wal import SEGMENT_BYTES, Segment, gaps
from coachops.backup.sealing import file_sha256
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database


@dataclass(frozen=True, slots=True)
class Archived:
    """A file of the log at the place.

    Attributes:
        at: when it came there; all commits in it are older.
    """

    segment: str
    file: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """All of them.

    Parameters:
        size: bytes of a segment.
    """

    files: tuple[Archived, ...]
    size: int = SEGMENT_BYTES

    @classmethod
    def of(cls, entries: Iterable[Entry], size: int = SEGMENT_BYTES) -> Archive:
        """From a listing; names begin with the segment's name."""
        found = []
        for entry in entries:
            name = entry.name.rpartition("/")[2][:24]
            if Segment.parse(name, size) is not None and not entry.name.endswith(_NO_LOG):
                found.append(Archived(name, entry.name, entry.changed_at))
        return cls(tuple(sorted(found, key=lambda one: one.segment)), size)

    def missing(self, manifest: Manifest) -> list[str]:
        """Segments that are not there, from the beginning of the backup to the archive's end."""
        return gaps(self._names(), manifest.engine_data["first"], size=self.size)

    def missing_for_snapshot(self, manifest: Manifest) -> list[str]:
        """Segments without which the moment of the manifest's snapshot cannot be reached."""
        data = manifest.engine_data
        return gaps(self._names(), data["first"], data["segment"], self.size)

    def whole_until(self, manifest: Manifest) -> dt.datetime | None:
        """When the last file came that a recovery from this backup reaches without a gap."""
        lost = self.missing(manifest)
        end = Segment.parse(lost[0], self.size) if lost else None
        first = Segment.parse(manifest.engine_data["first"], self.size)
        reached = [
            one.at
            for one in self.files
            if (segment := Segment.parse(one.segment, self.size)) is not None
            and (first is None or segment.position >= first.position)
            and (end is None or segment.position < end.position)
        ]
        return max(reached, default=None)

    def whole_to(self, manifest: Manifest) -> str:
        """The last segment that a recovery from this backup reaches without a gap."""
        lost = self.missing(manifest)
        names = [one for one in self._names() if not lost or one[8:] < lost[0][8:]]
        return max([*names, manifest.engine_data["segment"]], key=lambda one: one[8:])

    def not_needed(self, kept: Sequence[Manifest], since: dt.datetime) -> list[str]:
        """Files that no restore needs any more.

        What is needed: the whole log from the oldest kept backup made after `since`, and for older
        ones the part that leads to their snapshot. Nothing is dropped where nothing is kept.
        """
        if not kept:
            return []
        recent = [one for one in kept if one.made_at >= since]
        newest = max(kept, key=lambda one: one.made_at)
        whole_from = min(
            (self._position(one.engine_data["first"]) for one in recent or [newest]), default=0
        )
        spans = [
            (
                self._position(one.engine_data["first"]),
                self._position(one.engine_data["segment"]),
            )
            for one in kept
        ]
        return [
            one.file
            for one in self.files
            if (place := self._position(one.segment)) < whole_from
            and not any(first <= place <= last for first, last in spans)
        ]

    def _names(self) -> list[str]:
        return [one.segment for one in self.files]

    def _position(self, name: str) -> int:
        segment = Segment.parse(name, self.size)
        if segment is None:
            raise ValueError(f"no WAL segment: {name}")
        return segment.position


_NO_LOG = (".backup", ".tmp")
"""Endings of files that are no part of the log: labels of backups, and what is being written."""

Listing = Callable[[Manifest], Archive]
"""Lists the archive that belongs to a manifest."""


def reach(
    engine: str, manifests: Sequence[Manifest], listing: Listing, database: Database | None
) -> dt.datetime | None:
    """The newest heartbeat that the archive holds without a gap since the newest backup."""
    own = [one for one in manifests if one.engine == engine]
    if not own:
        return None
    newest = max(own, key=lambda one: one.made_at)
    until, known = listing(newest).whole_until(newest), newest.snapshot.heartbeat
    if until is None or database is None:
        return until or known
    with contextlib.suppress(CoachError):
        return live.newest_heartbeat(database, until) or known
    return known


def forget_log(
    place: Place, settings: Settings, engine: str, kept: Sequence[Manifest], listing: Listing
) -> None:
    """Delete files of the log that none of the kept backups needs."""
    own = [one for one in kept if one.engine == engine]
    if own:
        days = int(settings.backup_keep.split("d", maxsplit=1)[0])
        since = clock.now() - dt.timedelta(days=max(days, 1))
        for name in listing(own[0]).not_needed(own, since):
            place.delete(name)


def stored(place: Place, entry: Entry, work: Path) -> StoredFile:
    """A file that lies at the place already, with its digest.

    Parameters:
        work: folder for a copy, where the place is not a folder itself.
    """
    if isinstance(place, FolderPlace):
        digest = file_sha256(place.root / entry.name)
    else:
        copy = work / "copy"
        place.get(entry.name, copy)
        digest = file_sha256(copy)
        copy.unlink()
    return StoredFile(
        name=entry.name, part="engine", bytes=entry.bytes, sha256=digest, packing="engine"
    )
