"""What has to be set on the database host before backups work: the exact lines, made from the settings.

Nothing outside of the installation's own folder is changed here: a person puts the lines where they
belong. pgBackRest's configuration holds a secret, so it is written to a private file and not
printed.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from coachops import files
from coachops.backup.folder import FolderPlace
from coachops.backup.place import Place
from coachops.backup.postgres import live, passphrase, repository
from coachops.core.settings import Settings
from coachops.db import Database

ARCHIVE_SECONDS = 30
"""`archive_timeout`: the log leaves the server at least so often."""
_QUEUE = "16GiB"
_HEAD = "# pgBackRest for coachops, made by 'coachops backup setup'. Holds a secret: mode 640.\n"


@dataclass(frozen=True, slots=True)
class Setup:
    """Lines and where they belong.

    Attributes:
        engine: for which they are.
        postgresql: lines of postgresql.conf; they need a restart of the server.
        hba: lines of pg_hba.conf; they need a reload.
        sql: to run as the owner of the cluster, connected to `database`.
        config: private file with pgBackRest's configuration, made just now; None: not needed.
        config_target: where that file belongs.
        commands: to run as root on the database host, in this order.
        notes: what a person should know.
    """

    engine: Literal["sqlite", "pgbackrest", "basebackup"]
    database: str = ""
    postgresql: tuple[str, ...] = ()
    hba: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()
    config: Path | None = None
    config_target: Path | None = None
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def set_up(
    settings: Settings,
    database: Database,
    place: Place,
    config: Path = repository.CONFIG,
) -> Setup:
    """The lines for this installation. Safe to repeat: the passphrase stays.

    `auto` is pgBackRest where it is installed and the server's files are on this machine.

    Parameters:
        config: where pgBackRest's configuration belongs.

    Raises:
        CoachError: COACH-DB-001 when the database cannot be reached.
    """
    if database.is_sqlite:
        return Setup("sqlite", notes=("The embedded database needs no set-up.",))
    server = live.server_of(database)
    engine = settings.backup_engine
    if engine == "auto":
        here = shutil.which(repository.PROGRAM) and server.data and server.data.exists()
        engine = "pgbackrest" if here else "basebackup"
    role = str(database.engine.url.username or server.superuser)
    grants = () if role == server.superuser else _grants(role, replication=engine == "basebackup")
    if engine == "basebackup":
        return _basebackup(database, role, grants)
    if server.data is None:  # the role may not see it yet: a first step
        again = "Then run 'coachops backup setup' again: it prints the other lines."
        return Setup(
            "pgbackrest", database=str(database.engine.url.database), sql=grants, notes=(again,)
        )
    secret = passphrase.make(settings.home, config)
    draft = settings.home / "secrets" / "pgbackrest.conf"
    files.replace(draft, _configuration(place, server, secret))
    owner = "postgres"
    if (keeper := _owner(server.data)) is not None:
        owner = keeper
    commands = [f"install -D -o root -g {owner} -m 640 {shlex.quote(str(draft))} {config}"]
    if isinstance(place, FolderPlace):
        folder = shlex.quote(str(place.root / repository.FOLDER))
        commands.insert(0, f"install -d -o {owner} -g {owner} -m 750 {folder}")
    option = "" if config == repository.CONFIG else f"--config={config} "
    return Setup(
        engine="pgbackrest",
        database=str(database.engine.url.database),
        postgresql=(
            "wal_level = replica",
            "archive_mode = on",
            "archive_command = "
            f"'{repository.PROGRAM} {option}--stanza={repository.STANZA} archive-push \"%p\"'",
            f"archive_timeout = {ARCHIVE_SECONDS}",
        ),
        sql=grants,
        config=draft,
        config_target=config,
        commands=tuple(commands),
        notes=(
            f"pgBackRest copies files: let the worker on the database host run as {owner}.",
            f"If the place is away until {_QUEUE} of log wait, the server drops the log rather than "
            "stop; 'coachops backup status' then names the gap, and the next backup closes it.",
        ),
    )


def _basebackup(database: Database, role: str, grants: tuple[str, ...]) -> Setup:
    host = "samehost" if database.engine.url.host in {None, "", "127.0.0.1", "localhost"} else ""
    return Setup(
        engine="basebackup",
        database=str(database.engine.url.database),
        postgresql=(
            "wal_level = replica",
            "max_wal_senders = 10",
            "max_replication_slots = 10",
            "max_slot_wal_keep_size = 16GB",
        ),
        hba=(
            f"host replication {_quoted(role)} "
            f"{host or 'ADDRESS-OF-THE-COACHOPS-MACHINE/32'} scram-sha-256",
        ),
        sql=grants,
        notes=(
            "The log is shipped by the worker after each heartbeat; while no worker runs, the server "
            "keeps up to max_slot_wal_keep_size of it.",
        ),
    )


def _grants(role: str, *, replication: bool) -> tuple[str, ...]:
    name = _quoted(role)
    lines = [
        f"GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal() TO {name};",
        f"GRANT pg_monitor TO {name};",
    ]
    if replication:
        lines.append(f"ALTER ROLE {name} REPLICATION;")
    return tuple(lines)


def _quoted(role: str) -> str:
    return '"' + role.replace('"', '""') + '"'


def _configuration(place: Place, server: live.Server, secret: str) -> str:
    common = repository.options(place.url) | {"REPO1_CIPHER_PASS": secret}
    lines = [f"{name.lower().replace('_', '-')}={value}" for name, value in common.items()]
    return "\n".join(
        [
            _HEAD + "[global]",
            *sorted(lines),
            f"archive-push-queue-max={_QUEUE}",
            "",
            f"[{repository.STANZA}]",
            f"pg1-path={server.data}",
            f"pg1-port={server.port}",
            f"pg1-socket-path={server.socket}",
            f"pg1-user={server.superuser}",
            "",
        ]
    )


def _owner(folder: Path) -> str | None:
    try:
        return folder.owner()
    except (OSError, KeyError):
        return None
