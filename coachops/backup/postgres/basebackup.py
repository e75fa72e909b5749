"""The engine that uses PostgreSQL's own programs: `pg_basebackup`, and `pg_receivewal` for the log.

It works over the network with a role that may replicate, needs nothing on the database host, and
seals everything with age before it leaves this machine. Backups are full ones.
"""

from __future__ import annotations

import datetime as dt
import logging
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa

from coachops.backup import catalogue
from coachops.backup.engines import Artefacts, Part
from coachops.backup.model import Manifest, Problem, StoredFile, folder_of
from coachops.backup.place import Entry, Place
from coachops.backup.postgres import archive, cluster, live, moment, programs, streaming, walkey
from coachops.backup.postgres.archive import Archive
from coachops.backup.postgres.engine import ClusterEngine, engine_data, require_reachable
from coachops.backup.postgres.problems import slot_problems
from coachops.backup.postgres.programs import Runner
from coachops.backup.postgres.wal import Segment, gaps
from coachops.backup.sealing import ENDING, Keys, identities_in
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database

BASE = "base.tar"
_log = logging.getLogger(__name__)


class BaseBackupEngine(ClusterEngine):
    """See `engines.Engine`.

    Parameters:
        settings: the home folder with the log's key, the URL of the database.
        database: the live one; None where it is lost.
        place: where the log goes.
        keys: whom to seal the log for; what opens it where a backup's own key does not.
    """

    name = "basebackup"

    def __init__(
        self, settings: Settings, database: Database | None, place: Place, keys: Keys
    ) -> None:
        super().__init__(settings, database, place)
        self._keys = keys

    def take(self, work: Path, backup_id: str) -> Artefacts:
        """See `Engine`."""
        database = self._live()
        server = live.server_of(database)
        secret = walkey.make(self._settings.home)
        (work / walkey.PART).write_text(secret + "\n")
        # from here on the server keeps the log for us, and the backup begins behind this
        first = streaming.slot_of(database).segment(server.segment_bytes)
        base = self._copy(database, server, work, backup_id)
        marked = moment.mark(database, f"coachops-{backup_id}")
        catalogue.beat(database)
        live.switch_log(database, required=True)
        self._ship(database, server)
        log = tuple(self._log_files(server, first, marked.segment, work))
        return Artefacts(
            made_at=marked.at,
            snapshot=marked.snapshot,
            parts=(Part(walkey.PART, work / walkey.PART, "database"),),
            placed=(base, *log),
            engine_data=engine_data(server, marked, first),
            tools={"postgresql": server.version},
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
        restored = self._restored(target)
        runner = restored.prepare()
        with tarfile.open(parts[BASE]) as files:
            files.extractall(restored.data, filter="tar")
        parts[BASE].unlink()
        keys = Keys((), (*identities_in(parts[walkey.PART].read_text()), *self._keys.identities))
        log = runner.make_folder(target / cluster.WAL)
        last = self._open_log(manifest, keys, log, whole=at is not None)
        for path in (restored.data, *restored.data.rglob("*"), *log.iterdir()):
            runner.own(path)
        runner.write(restored.data / "recovery.signal", "")
        fetch = f"cp {shlex.quote(str(log))}/%f %p"
        restored.write_recovery(manifest, at, fetch, last)

    def follow(self) -> None:
        """See `Engine`: ship the log up to now."""
        database = self._live()
        self._ship(database, live.server_of(database))

    def _own_problems(self, database: Database) -> list[Problem]:
        return slot_problems(database)

    def _used_up(self, target: Path) -> None:
        shutil.rmtree(target / cluster.WAL, ignore_errors=True)  # it has been replayed

    def _restored(self, target: Path) -> cluster.RestoredCluster:
        return cluster.RestoredCluster(target, sa.make_url(self._settings.database_url))

    def _ship(self, database: Database, server: live.Server) -> None:
        keys = walkey.sealing_keys(self._settings.home, self._keys)
        streaming.ship(database, self._place, keys, server)

    def _copy(
        self, database: Database, server: live.Server, work: Path, backup_id: str
    ) -> StoredFile:
        """All files of the cluster, as a stream from the server through the sealing to the place."""
        target, env = streaming.connection_of(database)
        program = programs.find("pg_basebackup", server.major)
        command: list[str | Path] = [
            program, "--dbname", target, "--pgdata", "-", "--format", "tar", "--wal-method", "fetch",
            "--checkpoint", "fast", "--manifest-checksums", "SHA256", "--no-password",
            "--label", backup_id,
        ]  # fmt: skip
        sealed, said = work / f"{BASE}{ENDING}", work / "said"
        with said.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 our own arguments, no shell
                programs.tied(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, **Runner().options(env),
            )  # fmt: skip
            try:
                if process.stdout is None:
                    raise RuntimeError("no stream")
                with process.stdout as stream:
                    state = self._keys.seal(Path(f"/dev/fd/{stream.fileno()}"), sealed)
                ended = process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if ended:
            reason = programs.reason_of(said.read_text(errors="replace"))
            raise CoachError("COACH-BKP-020", program=program.name, reason=reason)
        name = f"{folder_of(backup_id)}/{sealed.name}"
        self._place.put(name, sealed)
        sealed.unlink()
        return StoredFile(
            name=name,
            part="database",
            bytes=state.bytes,
            sha256=state.sha256,
            plain_bytes=state.plain_bytes,
            plain_sha256=state.plain_sha256,
        )

    def _archive(self, manifest: Manifest) -> Archive:
        data = manifest.engine_data
        entries = self._place.entries(streaming.folder_of(data["system"]))
        return Archive.of(entries, int(data["segment_bytes"]))

    def _log_files(
        self, server: live.Server, first: str, last: str, work: Path
    ) -> Iterator[StoredFile]:
        """The log from the beginning of the backup to its snapshot, as listed files."""
        size = server.segment_bytes
        entries = list(self._place.entries(streaming.folder_of(server.system_id)))
        if lost := gaps((_file_of(entry) for entry in entries), first, last, size):
            raise CoachError("COACH-BKP-023", reason=f"{lost[0]} did not arrive")
        wanted = range(int(first[8:], 16), int(last[8:], 16) + 1)
        for entry in entries:
            name = _file_of(entry)
            if Segment.parse(name, size) and int(name[8:], 16) in wanted:
                yield archive.stored(self._place, entry, work)

    def _open_log(self, manifest: Manifest, keys: Keys, log: Path, *, whole: bool) -> str:
        """Open what recovery needs into `log`; the last segment that it has to reach.

        Parameters:
            whole: all that there is; else only what leads to the snapshot.
        """
        data = manifest.engine_data
        size = int(data["segment_bytes"])
        begin, end = Segment.parse(data["first"], size), Segment.parse(data["segment"], size)
        if begin is None or end is None:
            raise ValueError(f"no WAL segment: {data}")
        last = data["segment"]
        for entry in self._place.entries(streaming.folder_of(data["system"])):
            name = _file_of(entry)
            segment = Segment.parse(name.removesuffix(streaming.PARTIAL), size)
            if segment is not None and (
                segment.position < begin.position or (not whole and segment.position > end.position)
            ):
                continue
            plain = log / name.removesuffix(streaming.PARTIAL)
            if plain.exists():  # the whole file of this segment came before its beginning
                continue
            sealed = log / "sealed"
            self._place.get(entry.name, sealed)
            try:
                keys.open(sealed, plain)
            except CoachError:
                plain.unlink(missing_ok=True)
                if segment is None or segment.position > end.position:
                    _log.warning("a file of the log cannot be opened", extra={"file": entry.name})
                    continue
                raise
            finally:
                sealed.unlink(missing_ok=True)
            if segment is not None:
                last = max(last, plain.name, key=lambda one: one[8:])
        return last


def _file_of(entry: Entry) -> str:
    return entry.name.rpartition("/")[2].removesuffix(ENDING)
