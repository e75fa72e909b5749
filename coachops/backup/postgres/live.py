"""What a backup asks of the living server: where its files are, how its archiving goes."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from coachops.backup.postgres.programs import Runner
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Heartbeat


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        version: such as `15.14`.
        data: its data folder; None where the role may not know it.
        socket: folder of its socket, for programs on the same machine.
        superuser: role that owns the cluster.
        system_id: that no other cluster has.
        segment_bytes: of one file of its log.
    """

    version: str
    data: Path | None
    socket: str
    port: str
    superuser: str
    system_id: str
    segment_bytes: int

    @property
    def major(self) -> int:
        """Major version."""
        return int(self.version.split(".", maxsplit=1)[0])


@dataclass(frozen=True, slots=True)
class Archiving:
    """How the archive command does.

    Attributes:
        mode: `archive_mode`.
        last: newest segment that it took away; None where it never did.
        failing: it failed after its last success.
    """

    mode: str
    last: str | None
    last_at: dt.datetime | None
    failed: str | None
    failed_at: dt.datetime | None

    @property
    def failing(self) -> bool:
        """Whether the newest try failed."""
        return self.failed_at is not None and (
            self.last_at is None or self.failed_at > self.last_at
        )


def server_of(database: Database) -> Server:
    """The server of the live database.

    Raises:
        CoachError: COACH-DB-001 when it cannot be reached.
    """
    with database.connect(write=True) as connection:

        def shown(name: str) -> str | None:
            try:
                with connection.begin_nested():
                    value = connection.scalar(
                        sa.text("SELECT current_setting(:name)"), {"name": name}
                    )
            except exc.ProgrammingError:  # only pg_read_all_settings may see it
                return None
            return str(value)

        folder, sockets = shown("data_directory"), shown("unix_socket_directories")
        row = connection.execute(
            sa.text(
                "SELECT (SELECT rolname FROM pg_roles WHERE oid = 10), "
                "(SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size')"
            )
        ).one()
        system_id = ""
        with contextlib.suppress(exc.ProgrammingError), connection.begin_nested():
            system_id = str(
                connection.scalar(sa.text("SELECT system_identifier FROM pg_control_system()"))
            )
        return Server(
            version=(shown("server_version") or "").split()[0],
            data=Path(folder) if folder else None,
            socket=(sockets or "").split(",")[0].strip(),
            port=shown("port") or "5432",
            superuser=str(row[0]),
            system_id=system_id,
            segment_bytes=int(row[1]),
        )


def keeper_of(server: Server) -> Runner:
    """The user who can read the server's files, if they lie on this machine and we may act for him.

    Raises:
        CoachError: COACH-BKP-022 with the command to run on the database host.
    """
    if server.data is None:
        raise CoachError(
            "COACH-BKP-022",
            reason="the role may not see where the database lies (grant it pg_read_all_settings)",
        )
    pid_file = server.data / "postmaster.pid"
    try:
        runner = Runner.owner_of(server.data)
        # line 4 of postmaster.pid is the port: a folder of the same name may be another cluster's
        here = pid_file.read_text().splitlines()[3].strip() == server.port
    except (FileNotFoundError, IndexError):
        runner, here = None, False
    except PermissionError:
        runner, here = None, True
    if not here:
        raise CoachError("COACH-BKP-022", reason="the database runs on another machine")
    if runner is None:
        raise CoachError("COACH-BKP-022", reason="its files belong to another user")
    return runner


def archiving_of(database: Database) -> Archiving:
    """How archiving goes now."""
    with database.connect(write=True) as connection:
        row = connection.execute(
            sa.text(
                "SELECT current_setting('archive_mode'), last_archived_wal, last_archived_time, "
                "last_failed_wal, last_failed_time FROM pg_stat_archiver"
            )
        ).one()
    return Archiving(*row)


def switch_log(database: Database, *, required: bool = False) -> None:
    """Ask for the current file of the log to be closed.

    Parameters:
        required: else nothing happens where the role may not.

    Raises:
        CoachError: COACH-BKP-028.
    """
    try:
        with database.connect(write=True) as connection:
            connection.execute(sa.text("SELECT pg_switch_wal()"))
    except exc.ProgrammingError as error:
        if required:
            raise CoachError("COACH-BKP-028", right="pg_switch_wal()") from error


def newest_heartbeat(database: Database, until: dt.datetime) -> dt.datetime | None:
    """The newest heartbeat up to `until`."""
    with database.connect(write=True) as connection:
        return connection.scalar(sa.select(sa.func.max(Heartbeat.at)).where(Heartbeat.at <= until))
