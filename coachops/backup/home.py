"""What lies in the home folder beside databases: secrets and letters, as one archive.

Secret backup keys are in no archive: sealed with themselves they would help nobody.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from coachops.backup.folder import link_across, replace_across
from coachops.backup.keys import is_key_file
from coachops.backup.model import LeftOut
from coachops.core.errors import CoachError

ARCHIVE: Final = "home.tar"
_FOLDERS: Final = ("secrets", "outbox", "mail-reports", "privacy")

BESIDE: Final = ".from-backup"
"""Ends the name of a secret that came back where this machine has another of that name."""
_OWN: Final = frozenset({"backup.pub", "backup-installation"})
"""About the backups that this machine makes, not about its data: its own are right."""

LEFT_OUT: Final = (
    LeftOut(what="exports", why="made again by 'coachops export run'"),
    LeftOut(what="reports", why="made again by 'coachops report run'"),
    LeftOut(what="secrets/backup*.key", why="the key of the backups lies in escrow"),
    LeftOut(
        what="settings", why="COACHOPS_… of the environment belong to the machine's own set-up"
    ),
    LeftOut(what="logs", why="of the machine; they hold no state"),
)


def pack(home: Path, archive: Path) -> int:
    """Write the archive; returns how many files are in it."""
    count = 0
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for folder in _FOLDERS:
            for path in sorted((home / folder).rglob("*")):
                if folder == "secrets" and is_key_file(path.name):
                    continue
                if path.name.startswith(".") or path.is_symlink() or not path.is_file():
                    continue
                try:
                    tar.add(path, arcname=path.relative_to(home).as_posix(), recursive=False)
                except FileNotFoundError:
                    continue  # a letter that was just replaced
                count += 1
    return count


def unpack(archive: Path, target: Path) -> int:
    """Unpack into `target` (made private); returns how many files came back.

    Only names that `pack` gives are taken: whoever can write to the place can put a forged archive
    there, and a name that leads elsewhere must not touch a file of this machine.

    Raises:
        CoachError: COACH-BKP-012 where the archive is none.
    """
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if member.isfile()]
            _require_ours(archive, members)
            tar.extractall(target, members, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise CoachError("COACH-BKP-012", backup=archive.name, reason="secrets, letters") from error
    for member in members:
        path = target / member.name
        path.chmod(0o600)
        path.parent.chmod(0o700)
    return len(members)


def _require_ours(archive: Path, members: Iterable[tarfile.TarInfo]) -> None:
    for member in members:
        parts = PurePosixPath(member.name).parts
        if len(parts) < 2 or parts[0] not in _FOLDERS or ".." in parts:
            raise CoachError("COACH-BKP-012", backup=archive.name, reason="a name in it")


def merge(source: Path, home: Path) -> tuple[str, ...]:
    """Move what `source` holds into `home`; a file that is there stays.

    Returns:
        the secrets of `home` that are others than those of the backup, which then lie beside them
        as `NAME.from-backup`: the list of addresses that are never written to, and links in letters
        that were sent, can be read with those only.
    """
    others = []
    for folder in _FOLDERS:
        for path in sorted((source / folder).rglob("*")):
            target = home / path.relative_to(source)
            if not path.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                link_across(path, target)
            except FileExistsError:
                if folder != "secrets" or path.name in _OWN or _same(path, target):
                    continue
                replace_across(path, target.with_name(f"{target.name}{BESIDE}"))
                others.append(target.relative_to(home).as_posix())
    return tuple(others)


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
