"""Making a backup: copy, seal, place, and publish by writing the manifest last."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import platform
import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from coachops import __version__, audit
from coachops.backup import catalogue, home
from coachops.backup.engines import Artefacts
from coachops.backup.forgetting import place_journal
from coachops.backup.model import BackupRow, Manifest, StoredFile, folder_of, manifest_name
from coachops.backup.retention import Kept, Policy, to_keep
from coachops.backup.sealing import ENDING, Keys
from coachops.backup.shelf import GRACE, KEEP_DAMAGED, Shelf, Shelved, look
from coachops.backup.site import Site
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database

_log = logging.getLogger(__name__)


def make(site: Site, database: Database, *, new_place: bool = False) -> BackupRow:
    """Make a backup and delete what its time has come for. The caller holds the turn.

    Parameters:
        new_place: accept a place that is empty though backups were made there.

    Raises:
        CoachError: COACH-BKP-001 to -004 of the place or the disk, -008 of the key, COACH-DB-… of
            the database. Nothing of a failed backup is listed.
    """
    started = clock.now()
    backup_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"
    try:
        with site.work() as work:
            manifest, sha256 = _publish(site, database, backup_id, work, new_place)
    except BaseException as error:
        code = error.code if isinstance(error, CoachError) else "COACH-SYS-003"
        if code not in {"COACH-BKP-001", "COACH-BKP-002", "COACH-BKP-003"}:  # the place is away
            _clear_away(site, backup_id)
        if isinstance(error, Exception):
            with contextlib.suppress(CoachError):
                catalogue.add_failed(database, backup_id, "?", site.place.url, code, started)
        raise
    try:
        database.run(lambda session: catalogue.add_good(session, manifest, sha256, site.place.url))
        tidy(site, database)
    except CoachError as error:  # the backup itself is made
        _log.warning("after the backup", extra={"backup": backup_id, "code": error.code})
    return Shelved(backup_id, sha256, manifest, None, None, manifest.finished_at).row()


def _publish(
    site: Site, database: Database, backup_id: str, work: Path, new_place: bool
) -> tuple[Manifest, str]:
    shelf = look(site.place, site.seen)  # a place that is away is found before any work
    if not new_place:
        _require_same_place(site, database, shelf)
    recipients = site.ring.recipients(site.known_recipients())
    installation = site.made_installation()
    audit.seal(database)
    catalogue.beat(database)
    plain = work / "plain"
    plain.mkdir(mode=0o700)
    engine = site.engine()
    taken = engine.take(plain, backup_id)
    home.pack(site.home, plain / home.ARCHIVE)
    manifest = Manifest(
        id=backup_id,
        installation=installation,
        engine=engine.name,
        kind=taken.kind,
        needs=taken.needs,
        made_at=taken.made_at,
        finished_at=clock.now(),
        snapshot=taken.snapshot,
        files=(*_placed(site, taken, Keys(recipients), backup_id, work), *taken.placed),
        recipients=recipients,
        left_out=home.LEFT_OUT,
        engine_data=taken.engine_data,
        tools={"coachops": __version__, "python": platform.python_version(), **taken.tools},
    )
    data = manifest.encoded()
    place_journal(site.erasures, site.place, installation)
    site.place.write(manifest_name(backup_id, data), data)
    return manifest, hashlib.sha256(data).hexdigest()


def _placed(
    site: Site, taken: Artefacts, keys: Keys, backup_id: str, work: Path
) -> list[StoredFile]:
    """Seal every plain file and place it."""
    plain = [(part.name, part.path, part.part) for part in taken.parts]
    stored = []
    for name, path, part in [*plain, (home.ARCHIVE, work / "plain" / home.ARCHIVE, "home")]:
        sealed = work / f"{name}{ENDING}"
        done = keys.seal(path, sealed)
        path.unlink()
        target = f"{folder_of(backup_id)}/{sealed.name}"
        site.place.put(target, sealed)
        sealed.unlink()
        stored.append(
            StoredFile(
                name=target, part=part, bytes=done.bytes, sha256=done.sha256,
                plain_bytes=done.plain_bytes, plain_sha256=done.plain_sha256,
            )
        )  # fmt: skip
    sizes = {entry.name: entry.bytes for entry in site.place.entries(f"{folder_of(backup_id)}/")}
    for file in stored:
        if sizes.get(file.name) != file.bytes:
            raise CoachError(
                "COACH-BKP-001", reason=f"{file.name} did not arrive whole", place=site.place.url
            )
    return stored


def _require_same_place(site: Site, database: Database, shelf: Shelf) -> None:
    """Refuse a place that lost all that was there: most often a disk that is not mounted."""
    if shelf.backups or shelf.remnants:
        return
    with database.read() as session:
        known = catalogue.last_good(session, site.place.url)
    if known is not None:
        raise CoachError(
            "COACH-BKP-003",
            reason="it is empty, though backups were made there; if that is as it should be, run "
            "'coachops backup run --new-place'",
            place=site.place.url,
        )


def tidy(site: Site, database: Database) -> list[str]:
    """Delete what its time has come for, and files of backups that died; returns deleted ids.

    The manifest goes first: a deletion that is cut short leaves files that are no backup.
    """
    shelf = look(site.place, site.seen)
    installation = site.installation or ""
    own = [
        one
        for one in shelf.backups
        if one.good and one.manifest is not None and one.manifest.installation == installation
    ]
    keep = to_keep(
        [
            Kept(one.id, one.manifest.made_at, one.proven_at is not None, one.manifest.needs)
            for one in own
            if one.manifest is not None
        ],
        clock.now(),
        Policy.parse(site.settings.backup_keep),
        site.settings.zone,
    )
    dropped = [one for one in own if one.id not in keep]
    damaged = [
        one
        for one in shelf.backups
        if not one.good
        and one.manifest is not None
        and one.manifest.installation == installation
        and one.manifest.made_at < clock.now() - KEEP_DAMAGED
    ]
    for one in [*dropped, *damaged]:
        site.place.delete(f"{folder_of(one.id)}/manifest-{one.sha256}.json")
        _delete_all(site, [f"{folder_of(one.id)}/", f"proofs/{one.id}."])
    old = clock.now() - GRACE
    for entry in shelf.remnants:
        if entry.changed_at < old:
            site.place.delete(entry.name)
    gone = [one.manifest for one in dropped if one.manifest is not None]
    stay = [one.manifest for one in own if one.id in keep and one.manifest is not None]
    if gone:
        site.engine().forget(gone, stay)
    left = replace(shelf, backups=tuple(one for one in shelf.backups if one not in dropped))
    catalogue.follow(database, left, site.place.url, installation)
    return [one.id for one in dropped]


def _delete_all(site: Site, prefixes: Iterable[str]) -> None:
    for prefix in prefixes:
        for entry in list(site.place.entries(prefix)):
            site.place.delete(entry.name)


def _clear_away(site: Site, backup_id: str) -> None:
    """Remove what a failed backup placed, as far as the place lets us; the rest is a remnant."""
    with contextlib.suppress(CoachError, OSError):
        _delete_all(site, [f"{folder_of(backup_id)}/"])
