"""How a kind of database is copied and brought back: the seam between this package and databases.

An engine knows one way to copy the business database and the queue's store; the facade does the
rest: sealing, placing, manifests, retention, drills, secrets and letters. An engine that keeps its
own repository (pgBackRest) lists its files in the manifest as `part="engine"`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from coachops.backup.model import Manifest, Problem, Snapshot, StoredFile

if TYPE_CHECKING:
    from coachops.backup.place import Place
    from coachops.backup.sealing import Keys
    from coachops.core.settings import Settings
    from coachops.db import Database


@dataclass(frozen=True, slots=True)
class Part:
    """A plain file that the facade seals (zstd, then age) and places.

    Attributes:
        name: of the stored file without folder and ending, such as `coachops.db` or `base.tar`.
        path: where it lies in the work folder; the facade deletes it.
    """

    name: str
    path: Path
    part: Literal["database", "jobs"]


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What `Engine.take` made.

    Attributes:
        snapshot: the database at the very moment of the copy.
        parts: files to seal and place.
        placed: files that the engine has placed itself.
        needs: ids of backups without which this one cannot be restored.
        engine_data: handed back at `restore`, in `Manifest.engine_data`.
    """

    made_at: dt.datetime
    snapshot: Snapshot
    parts: tuple[Part, ...] = ()
    placed: tuple[StoredFile, ...] = ()
    kind: Literal["full", "incremental"] = "full"
    needs: tuple[str, ...] = ()
    engine_data: dict[str, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)


NEWEST = dt.datetime.max.replace(tzinfo=dt.UTC)
"""As the moment of a restore: the newest that can be reached, by the log behind the backup."""


class Engine(Protocol):
    """One way to copy a database and to bring it back."""

    @property
    def name(self) -> str:
        """As it stands in manifests."""

    def take(self, work: Path, backup_id: str) -> Artefacts:
        """Copy the live database; `work` is an empty private folder for plain files.

        The heartbeat was written just before. Raises a `CoachError`; what it left in `work` is
        deleted by the caller, what it placed itself must be harmless (see `forget`).
        """

    def restore(
        self,
        manifest: Manifest,
        parts: Mapping[str, Path],
        target: Path,
        at: dt.datetime | None,
    ) -> None:
        """Bring the database back into the empty folder `target`, not yet running.

        Parameters:
            parts: name of each `Part` to its opened, plain file (which may be moved away).
            at: the moment to restore to, not before the backup; `NEWEST`; None for the end of the
                backup itself, so that the result equals `manifest.snapshot`.
        """

    def standing(self, target: Path) -> AbstractContextManager[Database]:
        """The database at the moment of `manifest.snapshot`, to compare, before it is `opened`.

        Only for reading. Where the engine has a log, `opened` goes on from here to the moment that
        the restore asked for.
        """

    def opened(self, target: Path) -> AbstractContextManager[Database]:
        """The restored database of `target`, answering (a server is started for the block)."""

    def check(self, target: Path, database: Database) -> list[str]:
        """What is wrong with the restored database by its own integrity checks; empty: nothing."""

    def snapshot(self, database: Database) -> Snapshot:
        """The state of a database that nobody writes to."""

    def verify(self, manifest: Manifest) -> list[str]:
        """What is wrong at the place beyond the digests of listed files; empty: nothing."""

    def reach(self, manifests: Sequence[Manifest]) -> dt.datetime | None:
        """The newest heartbeat that could be restored now: the backups', or later by the WAL."""

    def covers(self, manifest: Manifest, at: dt.datetime) -> bool:
        """Whether a restore from `manifest` can reach exactly the moment `at` (by the WAL).

        `NEWEST`: whether the engine keeps a log at all.
        """

    def follow(self) -> None:
        """Bring what was committed since the backup to the place; called after each heartbeat."""

    def problems(self, manifests: Sequence[Manifest]) -> list[Problem]:
        """What now keeps commits from reaching the place, or breaks the way back to one."""

    def how_to_start(self, target: Path) -> tuple[str, ...]:
        """What a person does with the restored `target`; empty where nothing is to be done."""

    def forget(self, dropped: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        """Remove what only `dropped` needed in the engine's own repository (the WAL, too)."""


def engine_for(settings: Settings, database: Database | None, place: Place, keys: Keys) -> Engine:
    """The engine for the database of `settings`.

    Parameters:
        database: None on a machine where it is lost; `take` is impossible then.
    """
    if settings.database_url.startswith("sqlite"):
        from coachops.backup.sqlite import SqliteEngine  # noqa: PLC0415 one engine is used

        return SqliteEngine(settings, database)
    from coachops.backup.postgres import postgres_engine  # noqa: PLC0415 as above

    return postgres_engine(settings, database, place, keys)
