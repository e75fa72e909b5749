"""The engine that uses pgBackRest: full and incremental backups, the log archived by the server itself.

It runs where the database's files are, as the user who owns them. Its repository lies below the
place (`pgbackrest/`), encrypted by pgBackRest; what it wrote is listed in the manifest with digests,
because pgBackRest's own `verify` is not to be relied on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from coachops.backup import catalogue
from coachops.backup.engines import Artefacts, Part
from coachops.backup.folder import FolderPlace
from coachops.backup.model import Manifest, Problem, StoredFile
from coachops.backup.place import Entry, Place
from coachops.backup.postgres import archive, cluster, live, moment, passphrase
from coachops.backup.postgres.archive import Archive
from coachops.backup.postgres.engine import ClusterEngine, engine_data, require_reachable
from coachops.backup.postgres.problems import archiving_problems
from coachops.backup.postgres.programs import Runner
from coachops.backup.postgres.repository import CONFIG, FOLDER, STANZA, Label, Repository
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database

FULL_EVERY = dt.timedelta(hours=23)
"""A full backup a day, incremental ones between."""
ARCHIVE_SECONDS = 60.0
"""How long the server's archive command may take for a file of the log."""
RETRY_SECONDS = 10.0
"""How long a new try of an archive command that failed before is waited for."""
_POLL = 0.1


class PgBackRestEngine(ClusterEngine):
    """See `engines.Engine`.

    Parameters:
        settings: the home folder with the passphrase, the URL of the database.
        database: the live one; None where it is lost.
        place: where the repository lies.
        config: pgBackRest's configuration on the database host.
    """

    name = "pgbackrest"

    def __init__(
        self, settings: Settings, database: Database | None, place: Place, config: Path = CONFIG
    ) -> None:
        super().__init__(settings, database, place)
        self._config = config

    def take(self, work: Path, backup_id: str) -> Artefacts:
        """See `Engine`."""
        database = self._live()
        server = live.server_of(database)
        keeper = live.keeper_of(server)
        if live.archiving_of(database).mode == "off":
            raise CoachError("COACH-BKP-023", reason="archive_mode is off")
        secret = passphrase.require(self._settings.home, self._config)
        (work / passphrase.PART).write_text(secret)
        with self._repository(keeper, secret) as repository:
            origin = {
                "pg1_path": str(server.data),
                "pg1_port": server.port,
                "pg1_socket_path": server.socket,
                "pg1_user": server.superuser,
                "pg1_database": str(database.engine.url.database),
            }
            _make_stanza(repository, origin)
            _require_archiving(database)
            base = self._base(repository)
            repository.run(
                "backup",
                f"--type={'incr' if base else 'full'}",
                f"--annotation=coachops={backup_id}",
                "--start-fast", "--archive-copy", "--no-expire-auto",
                **origin,
            )  # fmt: skip
            made = next(one for one in repository.labels() if one.backup_id == backup_id)
            version = repository.run("version").split()[-1]
        marked = moment.mark(database, f"coachops-{backup_id}")
        catalogue.beat(database)  # a commit behind the moment, or no recovery could stop at it
        live.switch_log(database)
        self._wait_for(marked.segment, server.segment_bytes)
        return Artefacts(
            made_at=marked.at,
            snapshot=marked.snapshot,
            parts=(Part(passphrase.PART, work / passphrase.PART, "database"),),
            placed=tuple(self._placed(made, marked.segment, server.segment_bytes, work)),
            kind="full" if made.kind == "full" else "incremental",
            needs=tuple(base[label] for label in made.references) if base else (),
            engine_data={
                "label": made.label,
                **engine_data(server, marked, made.first),
            },
            tools={"postgresql": server.version, "pgbackrest": version},
        )

    def restore(
        self,
        manifest: Manifest,
        parts: Mapping[str, Path],
        target: Path,
        at: dt.datetime | None,
    ) -> None:
        """See `Engine`. `at` may be `NEWEST`."""
        require_reachable(manifest, at)
        self._require_intact(manifest, target)
        secret = parts[passphrase.PART].read_text().strip()
        restored = self._restored(target)
        runner = restored.prepare()
        runner.write(target / passphrase.PART, secret)
        with self._repository(runner, secret) as repository:
            repository.run(
                "restore",
                f"--set={manifest.engine_data['label']}",
                "--type=default", "--archive-mode=off",
                # never over the tablespaces of the living database
                f"--tablespace-map-all={target / 'tablespaces'}",
                pg1_path=str(restored.data),
            )  # fmt: skip
        fetch = 'pgbackrest archive-get %f "%p"'
        restored.write_recovery(manifest, at, fetch, self._archive(manifest).whole_to(manifest))

    def verify(self, manifest: Manifest) -> list[str]:
        """See `Engine`: the log has no gap up to the snapshot, pgBackRest knows the backup."""
        problems = super().verify(manifest)
        secret = passphrase.at_hand(self._settings.home, self._config)
        if secret is None:  # an empty machine: the digests of all files are what can be compared
            return problems
        with self._repository(self._keeper(), secret) as repository:
            if manifest.engine_data["label"] not in {one.label for one in repository.labels()}:
                problems.append(f"pgBackRest has no backup {manifest.engine_data['label']}")
            return problems + repository.problems()

    def follow(self) -> None:
        """See `Engine`: the server archives the log itself; it is asked to do so now."""
        live.switch_log(self._live())

    def forget(self, dropped: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        """See `Engine`."""
        gone = {one.engine_data["label"] for one in dropped if one.engine == self.name}
        if gone:
            secret = passphrase.require(self._settings.home, self._config)
            with self._repository(self._keeper(), secret) as repository:
                there = {one.label for one in repository.labels()}
                for label in sorted(gone & there, reverse=True):  # dependents first
                    repository.run("expire", f"--set={label}")
        super().forget(dropped, kept)

    def _require_intact(self, manifest: Manifest, work: Path) -> None:
        """Compare listed files of the repository with their digests, before anything is restored.

        pgBackRest compares the files of the copy while it restores them, but it hands out the log as
        it is, and a byte that was flipped there may show late or never. In a bucket only the log is
        read twice.
        """
        folder = isinstance(self._place, FolderPlace)
        for file in manifest.files:
            if file.packing != "engine" or not (folder or f"{FOLDER}/archive/" in file.name):
                continue
            entry = Entry(file.name, file.bytes, manifest.made_at)
            try:
                intact = archive.stored(self._place, entry, work).sha256 == file.sha256
            except FileNotFoundError:
                intact = False
            if not intact:
                raise CoachError(
                    "COACH-BKP-007", backup=manifest.id, reason=f"{file.name} was changed"
                )

    def _own_problems(self, database: Database) -> list[Problem]:
        return archiving_problems(database)

    def _used_up(self, target: Path) -> None:
        (target / passphrase.PART).unlink(missing_ok=True)

    def _restored(self, target: Path) -> cluster.RestoredCluster:
        url, env = sa.make_url(self._settings.database_url), {}
        with contextlib.suppress(FileNotFoundError):
            secret = (target / passphrase.PART).read_text()
            repository = Repository(self._place.url, secret, Runner.ordinary(), target)
            env = repository.environment(pg1_path=str(target / cluster.DATA))
        return cluster.RestoredCluster(target, url, env)

    @contextlib.contextmanager
    def _repository(self, runner: Runner, secret: str) -> Iterator[Repository]:
        with cluster.private_folder(runner) as locks:
            yield Repository(self._place.url, secret, runner, locks)

    def _keeper(self) -> Runner:
        """The user who may change the repository."""
        if not isinstance(self._place, FolderPlace):
            return Runner()
        runner = Runner.owner_of(self._place.root / FOLDER)
        if runner is None:
            raise CoachError("COACH-BKP-022", reason="its repository belongs to another user")
        return runner

    def _base(self, repository: Repository) -> dict[str, str] | None:
        """Label to our id of the chain that an incremental backup would stand on; None: make a full one.

        What a killed backup of ours left is removed first, or the next would stand on it.
        """
        listed = {entry.name.split("/")[1] for entry in self._place.entries("backups/")
                  if entry.name.rpartition("/")[2].startswith("manifest-")}  # fmt: skip
        labels = repository.labels()
        for one in reversed(labels):
            if one.backup_id is not None and one.backup_id not in listed:
                with contextlib.suppress(CoachError):  # the only full one cannot go yet
                    repository.run("expire", f"--set={one.label}")
                    labels.remove(one)
        known = {one.label: one.backup_id for one in labels if one.backup_id in listed}
        if not labels or labels[-1].label not in known:
            return None
        chain = {label: known.get(label) for label in (labels[-1].label, *labels[-1].references)}
        full = min(chain)  # an incremental label begins with that of its full one
        begun = next(one for one in labels if one.label == full).stopped
        young = clock.now().timestamp() - begun < FULL_EVERY.total_seconds()
        if not young or None in chain.values():
            return None
        return {label: ours for label, ours in chain.items() if ours}

    def _archive(self, manifest: Manifest) -> Archive:
        return Archive.of(
            self._place.entries(f"{FOLDER}/archive/{STANZA}/"),
            int(manifest.engine_data["segment_bytes"]),
        )

    def _wait_for(self, segment: str, size: int) -> None:
        """Until the archive holds the segment: what is not at the place saves nobody."""
        began = clock.monotonic()
        while True:
            entries = self._place.entries(f"{FOLDER}/archive/{STANZA}/")
            if any(one.segment == segment for one in Archive.of(entries, size).files):
                return
            if clock.monotonic() - began > ARCHIVE_SECONDS:
                raise CoachError("COACH-BKP-023", reason=f"{segment} did not arrive")
            time.sleep(_POLL)  # another process brings it

    def _placed(self, made: Label, last: str, size: int, work: Path) -> Iterator[StoredFile]:
        """Every file of this backup and of the log up to its snapshot, with its digest."""
        for entry in self._place.entries(f"{FOLDER}/backup/{STANZA}/{made.label}/"):
            yield archive.stored(self._place, entry, work)
        wanted = range(int(made.first[8:], 16), int(last[8:], 16) + 1)
        entries = {one.name: one for one in self._place.entries(f"{FOLDER}/archive/{STANZA}/")}
        for one in Archive.of(entries.values(), size).files:
            if int(one.segment[8:], 16) in wanted:
                yield archive.stored(self._place, entries[one.file], work)


def _require_archiving(database: Database) -> None:
    """Say at once that the log does not leave the server, where a backup would wait a minute for it.

    What failed before is given a new try: until its first backup a repository takes no log.
    """
    began = clock.monotonic()
    if live.archiving_of(database).failing:
        live.switch_log(database)  # wakes the archiver
    while (state := live.archiving_of(database)).failing:
        if clock.monotonic() - began > RETRY_SECONDS:
            raise CoachError("COACH-BKP-023", reason=f"archive_command fails at {state.failed}")
        time.sleep(_POLL)  # another process tries


def _make_stanza(repository: Repository, origin: Mapping[str, str]) -> None:
    """See to it that the repository knows this cluster; harmless where it does."""
    try:
        repository.run("stanza-create", **origin)
    except CoachError as error:
        if "[028]" not in str(error.details.get("reason")):  # FileInvalidError: another version
            raise
        repository.run("stanza-upgrade", **origin)
