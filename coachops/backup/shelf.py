"""The backups of a place, as the place itself tells: manifests that are whole, and what is left over.

Needs neither the database nor a key, so it works on an empty machine. A backup is good when the
digest in its manifest's name is that of the manifest's bytes, and all its files are there in full
length; their bytes are compared by `verify` and by every drill and restore.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from coachops.backup.model import BackupRow, Manifest
from coachops.backup.place import SMALL, Entry, Place
from coachops.core import clock

_NAME: Final = re.compile(r"^backups/(?P<id>[^/]+)/manifest-(?P<sha>[0-9a-f]{64})\.json$")
_FOLDER: Final = re.compile(r"^backups/(?P<id>[^/]+)/")
GRACE: Final = dt.timedelta(hours=6)
"""Files without a manifest that are older belong to a backup that died."""
KEEP_DAMAGED: Final = dt.timedelta(days=35)
"""How long a damaged backup is kept, in case that something can be saved from it."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A backup at the place.

    Attributes:
        problem: why it cannot be used; None for a good one.
        manifest: None where it cannot be read.
    """

    id: str
    sha256: str
    manifest: Manifest | None
    problem: str | None
    proven_at: dt.datetime | None
    changed_at: dt.datetime

    def may_be_of(self, installation: str | None) -> bool:
        """Whether that installation made it, as far as can be told."""
        return self.manifest is None or self.manifest.installation == installation

    @property
    def good(self) -> bool:
        """Whether it can be restored, as far as can be seen without reading all its bytes."""
        return self.problem is None and self.manifest is not None

    def row(self) -> BackupRow:
        """As lists show it."""
        known = self.manifest
        return BackupRow(
            id=self.id,
            state="good" if self.good else "damaged",
            made_at=known.made_at if known else self.changed_at,
            engine=known.engine if known else "?",
            kind=known.kind if known else "?",
            bytes=known.total_bytes if known else 0,
            rows=sum(table.rows for table in known.snapshot.tables.values()) if known else 0,
            revision=known.snapshot.revision if known else "?",
            manifest_sha256=self.sha256,
            installation=known.installation if known else "",
            heartbeat=known.snapshot.heartbeat if known else None,
            proven_at=self.proven_at,
            problem=self.problem,
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that is at a place: backups, the newest first, and files of backups that died."""

    backups: tuple[Shelved, ...]
    remnants: tuple[Entry, ...]

    def good(self, installation: str | None = None) -> list[Manifest]:
        """Manifests of the good ones, the newest first."""
        return [
            one.manifest
            for one in self.backups
            if one.good
            and one.manifest is not None
            and installation in {None, one.manifest.installation}
        ]


def look(place: Place, seen: dict[str, Manifest] | None = None) -> Shelf:
    """Read the place.

    Parameters:
        seen: manifests by name that were read before and are not read again (they never change);
            new ones are added. None reads all.

    Raises:
        CoachError: COACH-BKP-001, -002, -003.
    """
    entries = {entry.name: entry for entry in place.entries("backups/")}
    proofs = {
        entry.name.removeprefix("proofs/").removesuffix(".json")
        for entry in place.entries("proofs/")
    }
    manifests = [match for name in entries if (match := _NAME.match(name))]
    known = {match["id"] for match in manifests}
    seen = {} if seen is None else seen
    backups = [_shelved(place, match, entries, proofs, seen) for match in manifests]
    backups.sort(key=lambda one: (one.row().made_at, one.id), reverse=True)
    remnants = [
        entry
        for name, entry in entries.items()
        if (match := _FOLDER.match(name)) and match["id"] not in known
    ]
    return Shelf(tuple(backups), tuple(remnants))


def _shelved(
    place: Place,
    match: re.Match[str],
    entries: dict[str, Entry],
    proofs: set[str],
    seen: dict[str, Manifest],
) -> Shelved:
    name, backup_id = match.string, match["id"]
    manifest, problem = seen.get(name), None
    if manifest is None:
        manifest, problem = _read(place, name, match["sha"], backup_id)
    if manifest is not None:
        seen[name] = manifest
        problem = _files_problem(manifest, entries)
    return Shelved(
        id=backup_id,
        sha256=match["sha"],
        manifest=manifest,
        problem=problem,
        proven_at=_proven_at(place, backup_id, match["sha"]) if backup_id in proofs else None,
        changed_at=entries[name].changed_at,
    )


def _read(
    place: Place, name: str, sha256: str, backup_id: str
) -> tuple[Manifest | None, str | None]:
    try:
        data = place.read(name)
    except FileNotFoundError:
        return None, "its manifest was deleted just now"
    if len(data) > SMALL or hashlib.sha256(data).hexdigest() != sha256:
        return None, "its manifest was changed"
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError:
        return None, "its manifest is of a newer version of coachops"
    if manifest.id != backup_id:
        return None, "its folder was renamed"
    return manifest, None


def _files_problem(manifest: Manifest, entries: dict[str, Entry]) -> str | None:
    for file in manifest.files:
        if not file.name.startswith("backups/"):
            continue  # of an engine's own repository: the engine looks after it
        found = entries.get(file.name)
        if found is None:
            return f"{file.name} is missing"
        if found.bytes != file.bytes:
            return f"{file.name} has {found.bytes} bytes instead of {file.bytes}"
    return None


def prove(place: Place, backup_id: str, manifest_sha256: str, at: dt.datetime) -> None:
    """Write at the place that a drill restored this backup."""
    note = {"manifest": manifest_sha256, "proven_at": at.astimezone(clock.UTC).isoformat()}
    place.write(f"proofs/{backup_id}.json", json.dumps(note).encode())


def _proven_at(place: Place, backup_id: str, manifest_sha256: str) -> dt.datetime | None:
    try:
        note = json.loads(place.read(f"proofs/{backup_id}.json"))
        at = dt.datetime.fromisoformat(note["proven_at"])
        return at if note["manifest"] == manifest_sha256 and at.tzinfo else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None  # a proof that cannot be read is none
