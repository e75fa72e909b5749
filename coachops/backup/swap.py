"""Putting a restored database in place of the old one, so that a crash leaves one of them whole."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from coachops.backup.folder import link_across, replace_across
from coachops.backup.sqlite import JOBS
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.files import fsync_folder

_BESIDE = ("-wal", "-shm", "-journal")
_WAIT_SECONDS = 0.5


def put_in_place(fresh: Path, target: Path, *, replace: bool, home: Path) -> Path | None:
    """Put the database `fresh` (and the queue's store beside it) where `target` is or shall be.

    Parameters:
        replace: whether an old one may be there; it is kept.
        home: where the queue's store lies.

    Returns:
        the folder that keeps what was there before (of a lost database its logs); None where
        nothing was.

    Raises:
        CoachError: COACH-BKP-010 where one appeared meanwhile, COACH-BKP-011 where it is in use.
    """
    _one_file(fresh)
    if not target.exists():
        with _no_worker(home), _alone(home / JOBS):
            aside = _left_logs(target)
            _put_jobs(fresh.parent / JOBS, home / JOBS, aside)
            try:
                target.hardlink_to(fresh)
            except FileExistsError:
                raise CoachError("COACH-BKP-010", place=str(target)) from None
            fsync_folder(target.parent)
        return aside
    if not replace:
        raise CoachError("COACH-BKP-010", place=str(target))
    with _no_worker(home), _alone(target), _alone(home / JOBS):
        aside = _aside(target)
        for path in (target, *(target.with_name(target.name + end) for end in _BESIDE)):
            if path.exists():
                (aside / path.name).hardlink_to(path)
        fsync_folder(aside)
        # the store of the queue first: without it the worker queues anew what the data call for
        _put_jobs(fresh.parent / JOBS, home / JOBS, aside)
        for end in _BESIDE:  # a damaged one could not be closed cleanly; its log is kept aside
            target.with_name(target.name + end).unlink(missing_ok=True)
        fresh.replace(target)  # the one step that counts
        fsync_folder(target.parent)
    return aside


def require_free(target: Path, *, home: Path) -> None:
    """Refuse a database that somebody has open. Raises COACH-BKP-011."""
    with _no_worker(home), _alone(target), _alone(home / JOBS):
        return


def move_all(source: Path, target: Path) -> None:
    """Move what an engine restored into the target folder.

    Raises:
        CoachError: COACH-BKP-010 where one of the names is there.
    """
    children = sorted(source.iterdir())
    for child in children:
        if (target / child.name).exists():
            raise CoachError("COACH-BKP-010", place=str(target / child.name))
    for child in children:
        child.rename(target / child.name)
    fsync_folder(target)


def _aside(target: Path) -> Path:
    """A new folder for what is replaced."""
    stamp = f"before-restore-{clock.now():%Y%m%dT%H%M%SZ}"
    for number in itertools.count(1):
        aside = target.parent / (stamp if number == 1 else f"{stamp}-{number}")
        with contextlib.suppress(FileExistsError):  # a second restore within the same second
            aside.mkdir(mode=0o700)
            return aside
    raise AssertionError("counting ends")


def _left_logs(target: Path) -> Path | None:
    """Move the logs of a database that is gone out of the way; the folder that keeps them.

    SQLite would play them into the database that is put there: pages of the lost one among ours.
    """
    left = [log for end in _BESIDE if (log := target.with_name(target.name + end)).exists()]
    if not left:
        return None
    aside = _aside(target)
    for log in left:
        log.rename(aside / log.name)
    fsync_folder(aside)
    fsync_folder(target.parent)
    return aside


def _one_file(database: Path) -> None:
    """Bring the write-ahead log into the file itself, and the file to the disk."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    database.chmod(0o600)
    handle = os.open(database, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_jobs(fresh: Path, target: Path, aside: Path | None) -> None:
    if aside is not None and target.exists():
        link_across(target, aside / target.name)
    if fresh.is_file():
        _one_file(fresh)
        for end in _BESIDE:
            target.with_name(target.name + end).unlink(missing_ok=True)
        replace_across(fresh, target)  # the database may lie on another disk than the home


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Nobody else has the file open, and nobody gets it within the block.

    Leaving the write-ahead log needs every other connection closed; afterwards all data are in the
    one file. A damaged database cannot be asked: it is taken as it is.
    """
    if not database.exists():
        yield
        return
    with contextlib.closing(
        sqlite3.connect(database, timeout=_WAIT_SECONDS, isolation_level=None)
    ) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode is None or mode[0] != "delete":
                raise CoachError("COACH-BKP-011")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise CoachError("COACH-BKP-011") from error
        except sqlite3.DatabaseError:
            pass  # damaged: that is why it is restored
        yield


@contextlib.contextmanager
def _no_worker(home: Path) -> Iterator[None]:
    """No worker of this home runs, and none starts within the block."""
    with contextlib.ExitStack() as held:
        for path in sorted((home / "locks").glob("worker-*.lock")):
            file = held.enter_context(path.open("r+b"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CoachError("COACH-BKP-011") from None
        yield
