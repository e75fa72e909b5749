"""A folder as the second place: another disk, or a share of another machine.

A file is written under a name of its own, forced to the disk and renamed, and so is its folder's
entry: after a power loss it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from coachops.backup.place import SMALL, Entry
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.files import fsync_folder

_BLOCK = 1 << 20
_PART = ".part-"
"""Begins the name of a file that is being written; such files are no entries."""
_STALE = 24 * 3600.0
"""Seconds after which a half-written file belongs to a dead process."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FolderPlace:
    """Files below a folder.

    Parameters:
        root: the folder.
        make: whether it may be made; else it must be there, since a folder that is missing is
            often a disk that is not mounted.
    """

    def __init__(self, root: Path, *, make: bool = False) -> None:
        self.root = root
        self._make = make

    @property
    def url(self) -> str:
        """The path."""
        return str(self.root)

    def put(self, name: str, source: Path) -> None:
        """See `Place`."""
        with self._translated(), source.open("rb") as file, self._writing(name) as target:
            shutil.copyfileobj(file, target, _BLOCK)

    def write(self, name: str, data: bytes) -> None:
        """See `Place`."""
        with self._translated(), self._writing(name) as target:
            target.write(data)

    def get(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._translated(), (self.root / name).open("rb") as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, _BLOCK)

    def read(self, name: str) -> bytes:
        """See `Place`."""
        with self._translated(), (self.root / name).open("rb") as file:
            return file.read(SMALL + 1)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Place`."""
        if self._make and not self.root.is_dir():
            return  # looking makes nothing
        with self._translated():
            self._require_root()
            found = []
            top = self.root / prefix.rpartition("/")[0]
            for folder, _, files in os.walk(top, onerror=_raise_unless_gone):
                base = Path(folder)
                for file in files:
                    path = base / file
                    name = path.relative_to(self.root).as_posix()
                    if not name.startswith(prefix):
                        continue
                    with contextlib.suppress(FileNotFoundError):  # another process renames
                        stat = path.stat()
                        if file.startswith(_PART):
                            self._drop_if_stale(path, stat.st_mtime)
                            continue
                        changed = dt.datetime.fromtimestamp(stat.st_mtime, clock.UTC)
                        found.append(Entry(name, stat.st_size, changed))
        yield from sorted(found, key=lambda entry: entry.name)

    def delete(self, name: str) -> None:
        """See `Place`. Folders that become empty go, too."""
        path = self.root / name
        with self._translated():
            path.unlink(missing_ok=True)
            for parent in path.relative_to(self.root).parents:
                if parent == Path():
                    break
                try:
                    (self.root / parent).rmdir()
                except OSError:
                    break

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[IO[bytes]]:
        self._require_root()
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{_PART}{ids.new_id().hex}")
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            fsync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _require_root(self) -> None:
        if self._make:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not self.root.is_dir():
            raise CoachError("COACH-BKP-003", reason="no such folder", place=self.url)

    @staticmethod
    def _drop_if_stale(path: Path, changed: float) -> None:
        if clock.now().timestamp() - changed > _STALE:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            self._require_root()
            raise
        except OSError as error:
            raise place_error(error, self.url) from error


def place_error(error: OSError, place: str) -> CoachError:
    """What a failure of the system says about the place."""
    reason = (error.strerror or type(error).__name__).lower()
    if error.errno in NO_SPACE:
        return CoachError("COACH-BKP-004", place=place)
    if error.errno in _REFUSED or isinstance(error, PermissionError):
        return CoachError("COACH-BKP-002", reason=reason, place=place)
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return CoachError("COACH-BKP-003", reason=reason, place=place)
    return CoachError("COACH-BKP-001", reason=reason, place=place)


def link_across(source: Path, target: Path) -> None:
    """Give a file a second name, or make a durable private copy where that is on another disk.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with _copied(source, target) as copy:
            target.hardlink_to(copy)


def replace_across(source: Path, target: Path) -> None:
    """Move a file over another in one step, also from another disk."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with _copied(source, target) as copy:
            copy.replace(target)
        source.unlink()


@contextlib.contextmanager
def _copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy beside the target, whole on its disk."""
    copy = target.with_name(f"{_PART}{ids.new_id().hex}")
    try:
        handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file, source.open("rb") as data:
            shutil.copyfileobj(data, file, _BLOCK)
            file.flush()
            os.fsync(file.fileno())
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
