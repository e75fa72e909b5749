"""Private files that are whole or absent: secrets, keys, passphrases, configuration with either.

Written under a name of their own first, mode 0600 from the beginning, on the disk before they get
their name; the name is on the disk when a call returns. Processes that make the same file together end with one of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from coachops.core import ids


def write_new(path: Path, text: str) -> None:
    """Make a private file.

    Raises:
        FileExistsError: the name is taken; that file is not touched.
    """
    with _draft(path, text) as draft:
        path.hardlink_to(draft)


def write_once(path: Path, text: str) -> str:
    """The text of a private file, made with `text` and its folder (0700) by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process made it just now
            write_new(path, text)
    return path.read_text()


def replace(path: Path, text: str) -> None:
    """Make a private file, over the one that has the name."""
    with _draft(path, text) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{ids.new_id().hex}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
        fsync_folder(path.parent)  # a key without its name opens nothing that it sealed
    finally:
        draft.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, so that a name survives a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
