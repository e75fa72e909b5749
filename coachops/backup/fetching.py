"""Bringing a backup's files from the place to this machine, each compared with its manifest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from coachops.backup.folder import place_error
from coachops.backup.model import Manifest, StoredFile
from coachops.backup.place import Place
from coachops.backup.sealing import ENDING, Keys, file_sha256, fingerprint
from coachops.core.errors import CoachError


def part_name(file: StoredFile) -> str:
    """The name of the plain file inside, such as `coachops.db`."""
    return file.name.rpartition("/")[2].removesuffix(ENDING)


def fetch(place: Place, manifest: Manifest, keys: Keys, folder: Path) -> dict[str, Path]:
    """Fetch and open all files that we sealed; returns the plain ones by their part's name.

    Raises:
        CoachError: COACH-BKP-007 where a file is missing or changed, COACH-BKP-008 or -009 where it
            cannot be opened, COACH-BKP-004 without space, COACH-BKP-001 and -002 of the place.
    """
    opened = {}
    _require_space(folder, manifest)
    for file in manifest.files:
        if file.packing != "zstd+age":
            continue
        sealed = folder / f"{part_name(file)}{ENDING}"
        plain = folder / part_name(file)
        try:
            _get(place, manifest, file, sealed)
            found = _open(keys, manifest, sealed, plain)
            sealed.unlink()
        except OSError as error:
            raise place_error(error, str(folder)) from error
        if found != file.plain_sha256:
            raise CoachError(
                "COACH-BKP-007", backup=manifest.id, reason=f"{file.name} holds something else"
            )
        opened[part_name(file)] = plain
    return opened


def check_files(place: Place, manifest: Manifest, folder: Path) -> Iterator[str]:
    """What is wrong with the bytes of each listed file, an engine's own included; reads all of them."""
    copy = folder / "copy"
    for file in manifest.files:
        try:
            _get(place, manifest, file, copy)
        except CoachError as error:
            if error.code != "COACH-BKP-007":
                raise
            yield str(error.details["reason"])
        except OSError as error:
            raise place_error(error, str(folder)) from error
        finally:
            copy.unlink(missing_ok=True)


def _get(place: Place, manifest: Manifest, file: StoredFile, target: Path) -> None:
    try:
        place.get(file.name, target)
    except FileNotFoundError as error:
        raise CoachError(
            "COACH-BKP-007", backup=manifest.id, reason=f"{file.name} is missing"
        ) from error
    if target.stat().st_size != file.bytes or file_sha256(target) != file.sha256:
        raise CoachError("COACH-BKP-007", backup=manifest.id, reason=f"{file.name} was changed")


def _open(keys: Keys, manifest: Manifest, sealed: Path, plain: Path) -> str:
    try:
        return keys.open(sealed, plain).plain_sha256
    except CoachError as error:
        if error.code != "COACH-BKP-009":
            raise
        names = ", ".join(fingerprint(one) for one in manifest.recipients)
        raise CoachError(
            "COACH-BKP-009", reason=error.details["reason"], recipients=f"key {names}"
        ) from error


def _require_space(folder: Path, manifest: Manifest) -> None:
    """Say it before an hour of fetching."""
    needed = manifest.total_plain_bytes + max((file.bytes for file in manifest.files), default=0)
    if shutil.disk_usage(folder).free < needed:
        raise CoachError("COACH-BKP-004", place=str(folder))
