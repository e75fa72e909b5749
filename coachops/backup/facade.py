"""`Backups`: what command line, worker and dashboards call. One act at a time; safe in any process."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coachops import audit
from coachops.backup import catalogue, drilling, fetching, heads, making, restoring, standing
from coachops.backup.forgetting import Erasures, place_journal
from coachops.backup.keys import read_identities
from coachops.backup.model import BackupRow, DrillResult, RecoveryStatus, Restored
from coachops.backup.place import Place
from coachops.backup.sealing import Keys, fingerprint, public_keys
from coachops.backup.shelf import Shelved, look
from coachops.backup.site import Site
from coachops.backup.turn import turn
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database

if TYPE_CHECKING:
    from coachops.backup.postgres.setup import Setup


class Backups:
    """Backup and recovery of one installation.

    Parameters:
        settings: of this process.
        database: the business database; None where it is lost: `list`, `verify` and `restore` work.
        secrets: the folder of the installation's secrets.
        place: where the backups lie.
        erasures: who was erased and must not come back with a restore.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database | None,
        secrets: Path,
        place: Place,
        erasures: Erasures,
    ) -> None:
        self._site = Site(settings, database, secrets, place, erasures)

    @property
    def place(self) -> Place:
        """Where the backups lie."""
        return self._site.place

    def beat(self) -> dt.datetime:
        """Write a heartbeat and bring it to the place by the log, where the engine keeps one.

        On PostgreSQL every half minute: that is how much a disaster loses. Each `run` writes one.

        Raises:
            CoachError: COACH-DB-… when it cannot be written; COACH-BKP-… when it does not leave the
                machine.
        """
        at = catalogue.beat(self._database)
        if not self._database.is_sqlite:
            self._site.engine().follow()
        return at

    def run(self, *, new_place: bool = False) -> BackupRow:
        """Make a backup, then delete what its time has come for.

        Raises:
            CoachError: COACH-BKP-005 where one runs, else as `making.make`.
        """
        with turn(self._site.home, self._database, "backup"):
            return making.make(self._site, self._database, new_place=new_place)

    def carry_erasures(self) -> None:
        """Put the list of who was erased beside the backups, now rather than with the next one.

        Raises:
            CoachError: COACH-BKP-001 to -004 where the place does not take it, COACH-PRV-009.
        """
        place_journal(self._site.erasures, self.place, self._site.made_installation())

    def list(self) -> Sequence[BackupRow]:
        """All backups at the place, the newest first; needs neither database nor key."""
        return [one.row() for one in look(self.place).backups]

    def audit_heads(self) -> dict[str, audit.AuditHead]:
        """What the audit chain of today must contain, by the id of the backup that says so.

        Raises:
            CoachError: COACH-BKP-001 to -003 where the place does not answer, COACH-DB-….
        """
        return heads.expected(self._database, look(self.place).good(self._site.installation or ""))

    def verify(self, backup_id: str | None = None) -> tuple[BackupRow, Sequence[str]]:
        """Read every byte of a backup (None: the newest) and compare; returns what is wrong.

        Raises:
            CoachError: COACH-BKP-006 where there is none, COACH-BKP-001 to -004.
        """
        one = self._shelved(backup_id)
        if one.manifest is None:
            return one.row(), [one.problem or "its manifest cannot be read"]
        problems = [] if one.problem is None else [one.problem]
        problems += self._replaced(one)
        with self._site.aside() as folder:
            problems += [
                each
                for each in fetching.check_files(self.place, one.manifest, folder)
                if each not in problems
            ]
        return one.row(), problems + self._site.engine(one.manifest).verify(one.manifest)

    def drill(self) -> DrillResult:
        """Restore the newest backup into a scratch folder, compare it, measure, remember.

        Raises:
            CoachError: COACH-BKP-005 where an act is running; COACH-DB-… where the result cannot
                be kept. A failed drill is a result.
        """
        with turn(self._site.home, self._database, "drill"):
            return drilling.drill(self._site, self._database)

    def restore(
        self,
        into: Path | None = None,
        at: dt.datetime | None = None,
        *,
        backup_id: str | None = None,
        replace: bool = False,
        key_file: Path | None = None,
    ) -> Restored:
        """Bring a backup back; see `restoring.Wish` and `restoring.restore`."""
        wish = restoring.Wish(into, at, backup_id, replace, key_file)
        home = self._site.home if into is None or self._site.home.is_dir() else into
        with turn(home, None, "restore"):
            return restoring.restore(self._site, wish)

    def status(self, *, thorough: bool = False) -> RecoveryStatus:
        """How well the installation could be recovered now.

        Parameters:
            thorough: also ask the place; without it only the database is read.
        """
        return standing.status(self._site, self._database, thorough=thorough)

    def setup(self) -> Setup:
        """What has to be set on the database host, and by whom, before PostgreSQL is backed up.

        Nothing for the embedded database. Raises as `postgres.setup.set_up`.
        """
        from coachops.backup.postgres.setup import set_up  # noqa: PLC0415 one engine is used

        return set_up(self._site.settings, self._database, self.place)

    # keys

    def export_key(self, file: Path) -> str:
        """Write the copy of the secret key for escrow; returns its fingerprint.

        Raises:
            CoachError: COACH-BKP-019, COACH-BKP-008.
        """
        forbidden = [self._site.home]
        root = getattr(self.place, "root", None)
        if isinstance(root, Path):
            forbidden.append(root)
        name = self._site.ring.export(file, forbidden=forbidden)
        self._record("backup.key_exported", name)
        return name

    def confirm_key(self, file: Path) -> tuple[str, str | None]:
        """Show that the copy in escrow opens backups; returns its fingerprint and what it opened.

        Raises:
            CoachError: COACH-BKP-008 not readable; COACH-BKP-019 another key; COACH-BKP-009 it does
                not open the newest backup.
        """
        identities = read_identities(file)
        known = set(self._site.ring.recipients(self._site.known_recipients()))
        public = [one for one in public_keys(identities) if one in known]
        if not public:
            raise CoachError("COACH-BKP-019", reason="it belongs to another public key")
        opened = None
        sealed = [
            one
            for one in look(self.place).good(self._site.installation or "")
            if public[0] in one.recipients
        ]
        if sealed:
            with self._site.aside() as folder:
                smallest = min(sealed[0].files, key=lambda file: file.plain_bytes or 1 << 62)
                part = sealed[0].model_copy(update={"files": (smallest,)})
                fetching.fetch(self.place, part, Keys((), identities), folder)
            opened = sealed[0].id
        name = fingerprint(public[0])
        catalogue.confirm_escrow(self._database, name)
        self._record("backup.key_confirmed", name)
        return name, opened

    def import_key(self, file: Path) -> str:
        """Put the copy from escrow back as this machine's key; returns its fingerprint.

        Raises:
            CoachError: COACH-BKP-008 not readable, COACH-BKP-019 not the copy of this key.
        """
        return self._site.ring.bring_back(file, self._known_to_the_place())

    def renew_key(self) -> str:
        """Make a new key pair for the backups from now on; returns its fingerprint.

        Raises:
            CoachError: COACH-BKP-019 where the settings name the keys.
        """
        name = self._site.ring.renew()
        self._record("backup.key_renewed", name)
        return name

    # within

    @property
    def _database(self) -> Database:
        if self._site.database is None:
            raise CoachError(
                "COACH-DB-001", reason="there is no database; 'coachops backup restore'"
            )
        return self._site.database

    def _record(self, action: str, name: str) -> None:
        self._database.run(
            lambda session: audit.record(session, SYSTEM, action, "backup_key", name)
        )

    def _known_to_the_place(self) -> tuple[str, ...]:
        known = self._site.known_recipients()
        with contextlib.suppress(CoachError):
            for manifest in look(self.place).good(self._site.installation)[:1]:
                known += manifest.recipients
        return known

    def _shelved(self, backup_id: str | None) -> Shelved:
        for one in look(self.place).backups:
            if backup_id in {None, one.id}:
                return one
        raise CoachError("COACH-BKP-006", wanted=backup_id or "at all", place=self.place.url)

    def _replaced(self, one: Shelved) -> Sequence[str]:
        """A manifest replaced as a whole, where the database can tell."""
        if self._site.database is None:
            return []
        with contextlib.suppress(CoachError), self._site.database.read() as session:
            known = catalogue.manifest_of(session, one.id)
            if known is not None and known != one.sha256:
                return ["its manifest was replaced"]
        return []
