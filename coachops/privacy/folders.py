"""Files of the home that name a client: letters, mails that came back, reports.

Exports are found by their manifests (`issued`), since packed files cannot be searched.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message as Mail
from email.policy import compat32
from email.utils import getaddresses
from pathlib import Path

from coachops.core import clock
from coachops.privacy.traces import Traces

OUTBOX, MAIL_REPORTS, REPORTS, EXPORTS = "outbox", "mail-reports", "reports", "exports"
_UNDER_WAY = dt.timedelta(days=1)
"""What an export has not written to for so long is dead."""
BEFORE_RESTORE = "before-restore-"
"""Begins the names of folders that keep what a restore replaced."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file, or a folder that goes as a whole.

    Attributes:
        place: key of the registry (`places`).
    """

    place: str
    path: Path


def find(home: Path, traces: Traces) -> list[HeldFile]:
    """Everything below `home` that names the client, but exports."""
    return [
        *(HeldFile("outbox", path) for path in _letters(home / OUTBOX, traces)),
        *(HeldFile("mail_reports", path) for path in _returned(home / MAIL_REPORTS, traces)),
        *(HeldFile("reports", path) for path in _reports(home / REPORTS, traces)),
    ]


def remove(held: Iterable[HeldFile]) -> list[str]:
    """Remove them; returns the paths of those that could not be, to be tried again."""
    left = []
    for each in held:
        try:
            if each.path.is_dir() and not each.path.is_symlink():
                shutil.rmtree(each.path)
            else:
                each.path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
        except OSError:
            left.append(str(each.path))
    return left


def abandoned(home: Path) -> list[HeldFile]:
    """Exports that a killed process left half: nobody can tell whom they hold."""
    before = clock.now() - _UNDER_WAY
    exports = home / EXPORTS
    return [
        HeldFile("exports", path)
        for path in sorted([*exports.glob(".*.partial-*"), *exports.glob(".work/*")])
        if _written_at(path) < before
    ]


def _written_at(folder: Path) -> dt.datetime:
    """When something was last written below the folder, whose own time does not tell."""
    try:
        newest = folder.stat().st_mtime
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # a part is given its name at this moment
                newest = max(newest, path.stat().st_mtime)
    except FileNotFoundError:  # it is just going
        return clock.now()
    return dt.datetime.fromtimestamp(newest, clock.UTC)


def report_runs(folder: Path) -> Iterator[Path]:
    """The folders of single runs, unfinished and failed ones included."""
    for report in sorted(_entries(folder)):
        if report.is_dir():
            yield from sorted(_entries(report))


def _letters(folder: Path, traces: Traces) -> Iterator[Path]:
    own = tuple(f"{each}." for each in traces.message_ids)
    for path in sorted(_entries(folder)):
        if path.is_file() and (path.name.lstrip(".").startswith(own) or _is_to(path, traces)):
            yield path


def _is_to(path: Path, traces: Traces) -> bool:
    mail = email.message_from_bytes(_bytes(path), policy=compat32)
    to = {address.casefold() for _, address in getaddresses(map(str, mail.get_all("To", [])))}
    return traces.email is not None and traces.email.casefold() in to


def _returned(folder: Path, traces: Traces) -> Iterator[Path]:
    for path in sorted(_entries(folder)):
        if path.is_file() and _names(path, traces):
            yield path


def _names(path: Path, traces: Traces) -> bool:
    data = _bytes(path)
    if traces.stand_in(data):
        return True
    mail: Mail = email.message_from_bytes(data, policy=compat32)
    for part in mail.walk():
        words = part.get_payload(decode=True)
        if isinstance(words, bytes) and traces.stand_in(words):
            return True
    return False


def _reports(folder: Path, traces: Traces) -> Iterator[Path]:
    for run in report_runs(folder):
        files = [path for path in run.rglob("*") if path.is_file()] if run.is_dir() else [run]
        if any(traces.stand_in(_bytes(path)) for path in files):
            yield run


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
