"""One installation as backups see it: its settings, databases, keys, and the place of its backups."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from coachops import files
from coachops.backup import catalogue
from coachops.backup.engines import Engine, engine_for
from coachops.backup.folder import place_error
from coachops.backup.forgetting import Erasures
from coachops.backup.keys import KeyRing
from coachops.backup.model import Manifest
from coachops.backup.place import Place
from coachops.backup.sealing import Keys
from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database

_INSTALLATION = "backup-installation"


@dataclass(frozen=True)
class Site:
    """What every act of this package works on.

    Attributes:
        database: None where there is none (an empty machine).
        secrets: folder of the installation's secrets.
        erasures: who was erased and must not come back.
        seen: manifests read before; see `shelf.look`.
    """

    settings: Settings
    database: Database | None
    secrets: Path
    place: Place
    erasures: Erasures
    seen: dict[str, Manifest] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.settings.home

    @cached_property
    def ring(self) -> KeyRing:
        """The keys."""
        return KeyRing(self.settings, self.secrets)

    def ring_of(self, secrets: Path) -> KeyRing:
        """The keys in another folder of secrets."""
        return KeyRing(self.settings, secrets)

    @property
    def installation(self) -> str | None:
        """The random id of this installation; None before its first backup."""
        with contextlib.suppress(OSError):
            return (self.secrets / _INSTALLATION).read_text().strip() or None
        return None

    def made_installation(self) -> str:
        """The random id of this installation, made at its first backup."""
        known = self.installation
        if known is not None:
            return known
        return files.write_once(self.secrets / _INSTALLATION, ids.new_id().hex).strip()

    def known_recipients(self) -> tuple[str, ...]:
        """Whom earlier backups were sealed for, as far as the database can tell."""
        if self.database is None:
            return ()
        with contextlib.suppress(CoachError), self.database.read() as session:
            return catalogue.known_recipients(session)
        return ()

    def engine(self, manifest: Manifest | None = None) -> Engine:
        """The engine of this database, or the one that made `manifest`."""
        settings = self.settings
        keys = Keys(self.ring.stated(), self.ring.at_hand())
        if manifest is not None and manifest.engine == "sqlite":
            from coachops.backup.sqlite import SqliteEngine  # noqa: PLC0415 one engine is used

            return SqliteEngine(settings, self.database)
        if manifest is not None:
            settings = settings.model_copy(update={"backup_engine": manifest.engine})
        return engine_for(settings, self.database, self.place, keys)

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A private empty folder for opened data, on the home's disk; gone afterwards.

        What a killed process left of it is removed: the caller holds the turn.
        """
        top = self.home / "backup-work"
        try:
            shutil.rmtree(top, ignore_errors=True)
            top.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = Path(tempfile.mkdtemp(dir=top))
        except OSError as error:
            raise place_error(error, str(self.home)) from error
        try:
            yield folder
        except OSError as error:
            raise place_error(error, str(self.home)) from error
        finally:
            shutil.rmtree(top, ignore_errors=True)

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """A private empty folder for acts that do not hold the turn; gone afterwards."""
        top = self.home if self.home.is_dir() else None
        try:
            with tempfile.TemporaryDirectory(prefix=".backup-", dir=top) as folder:
                yield Path(folder)
        except OSError as error:
            raise place_error(error, str(top or tempfile.gettempdir())) from error
