"""What both engines of PostgreSQL share: a log that leads on from a backup, a restored cluster."""

from __future__ import annotations

import abc
import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from coachops.backup.engines import NEWEST
from coachops.backup.model import Manifest, Problem, Snapshot
from coachops.backup.place import Place
from coachops.backup.postgres import archive, cluster, live
from coachops.backup.postgres.archive import Archive
from coachops.backup.postgres.moment import Moment
from coachops.backup.postgres.problems import gap_problem
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database


class ClusterEngine(abc.ABC):
    """See `engines.Engine`.

    Parameters:
        settings: the home folder with the engine's secrets, the URL of the database.
        database: the live one; None where it is lost.
        place: where copies and log go.
    """

    name: str

    def __init__(self, settings: Settings, database: Database | None, place: Place) -> None:
        self._settings = settings
        self._database = database
        self._place = place

    @abc.abstractmethod
    def _archive(self, manifest: Manifest) -> Archive:
        """The log at the place of the server that the backup was made of."""

    @abc.abstractmethod
    def _restored(self, target: Path) -> cluster.RestoredCluster:
        """The cluster in that folder."""

    @abc.abstractmethod
    def _used_up(self, target: Path) -> None:
        """Remove what only the recovery needed, which is over."""

    @abc.abstractmethod
    def _own_problems(self, database: Database) -> list[Problem]:
        """What keeps the log of the living server from arriving."""

    @contextlib.contextmanager
    def standing(self, target: Path) -> Iterator[Database]:
        """See `Engine`."""
        with self._restored(target).standing() as database:
            yield database

    @contextlib.contextmanager
    def opened(self, target: Path) -> Iterator[Database]:
        """See `Engine`."""
        with self._restored(target).opened() as database:
            self._used_up(target)
            yield database

    def check(self, target: Path, database: Database) -> list[str]:
        """See `Engine`."""
        return self._restored(target).check(database)

    def how_to_start(self, target: Path) -> tuple[str, ...]:
        """See `Engine`."""
        return self._restored(target).how_to_start()

    def snapshot(self, database: Database) -> Snapshot:
        """See `Engine`."""
        return cluster.snapshot_of(database)

    def verify(self, manifest: Manifest) -> list[str]:
        """See `Engine`: the log has no gap up to the snapshot."""
        lost = self._archive(manifest).missing_for_snapshot(manifest)
        return [f"the log lacks {len(lost)} files from {lost[0]} on"] if lost else []

    def reach(self, manifests: Sequence[Manifest]) -> dt.datetime | None:
        """See `Engine`: the heartbeats in the log, without a gap since the newest backup."""
        return archive.reach(self.name, manifests, self._archive, self._database)

    def covers(self, manifest: Manifest, at: dt.datetime) -> bool:
        """See `Engine`."""
        if at == NEWEST:
            return True
        until = self._archive(manifest).whole_until(manifest)
        return until is not None and manifest.made_at <= at <= until

    def problems(self, manifests: Sequence[Manifest]) -> list[Problem]:
        """See `Engine`."""
        found = self._own_problems(self._database) if self._database is not None else []
        newest = max(manifests, key=lambda one: one.made_at, default=None)
        if newest is not None and newest.engine == self.name:
            found += gap_problem(self._archive(newest).missing(newest))
        return found

    def forget(self, dropped: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        """See `Engine`: the log that no kept backup needs goes."""
        archive.forget_log(self._place, self._settings, self.name, kept, self._archive)

    def _live(self) -> Database:
        if self._database is None:
            raise CoachError("COACH-DB-001", reason="there is no database to copy")
        return self._database


def require_reachable(manifest: Manifest, at: dt.datetime | None) -> None:
    """Refuse a moment before the backup. Raises ValueError: the caller chose a wrong backup."""
    if at is not None and at < manifest.made_at:
        raise ValueError("the backup is younger than the moment that is asked for")


def engine_data(server: live.Server, marked: Moment, first: str) -> dict[str, str]:
    """What a restore has to know.

    Parameters:
        first: the segment of the log that the copy begins in.
    """
    return {
        "point": marked.name,
        "lsn": marked.lsn,
        "timeline": str(marked.timeline),
        "first": first,
        "segment": marked.segment,
        "segment_bytes": str(server.segment_bytes),
        "system": server.system_id,
    }
