"""Backups of PostgreSQL: two engines behind the seam of `coachops.backup.engines`.

`pgbackrest` copies files on the database host; `basebackup` works over the network with PostgreSQL's own
programs. Invariants: the manifest's numbers belong to one named restore point of the log; the log is
listed and looked through for gaps; a restored server is private, never archives, and is ended by its
pid. To add a third way to copy: a class beside them, and a row in `postgres_engine`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from coachops.backup.postgres import passphrase
from coachops.backup.postgres.basebackup import BaseBackupEngine
from coachops.backup.postgres.pgbackrest import PgBackRestEngine
from coachops.backup.postgres.repository import CONFIG, PROGRAM

if TYPE_CHECKING:
    from coachops.backup.engines import Engine
    from coachops.backup.place import Place
    from coachops.backup.sealing import Keys
    from coachops.core.settings import Settings
    from coachops.db import Database

__all__ = ["BaseBackupEngine", "PgBackRestEngine", "postgres_engine"]


def postgres_engine(
    settings: Settings, database: Database | None, place: Place, keys: Keys
) -> Engine:
    """The engine that the settings name; `auto` is pgBackRest where it was set up on this machine."""
    name = settings.backup_engine
    if name == "auto":
        there = shutil.which(PROGRAM) and passphrase.at_hand(settings.home, CONFIG)
        name = "pgbackrest" if there else "basebackup"
    if name == "pgbackrest":
        return PgBackRestEngine(settings, database, place)
    return BaseBackupEngine(settings, database, place, keys)
