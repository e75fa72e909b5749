"""Files that are whole or absent, and a disk that refuses told in the suite's own words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from coachops.core.errors import CoachError


@contextlib.contextmanager
def translated(place: Path) -> Iterator[None]:
    """A disk that refuses becomes COACH-EXP-006."""
    try:
        yield
    except OSError as error:
        raise CoachError(
            "COACH-EXP-006", path=place, reason=error.strerror or type(error).__name__
        ) from error


def sync(path: Path) -> None:
    """Have the operating system write a file or the entries of a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """`sync` for every file and folder below `folder`, and for itself."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync(path)
    sync(folder)
