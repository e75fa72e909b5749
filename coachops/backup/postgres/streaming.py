"""Fetching the log over the network with `pg_receivewal`, and shipping it sealed to the place.

A replication slot keeps the server from throwing away what has not been shipped: it is moved on only
after the files are at the place, so a crash at any moment leaves no gap. Each run starts with an
empty folder at the slot's segment and ends at the newest position, so nothing on this disk matters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy import exc

from coachops.backup.place import Place
from coachops.backup.postgres import live, programs
from coachops.backup.postgres.programs import Runner
from coachops.backup.postgres.wal import Segment, parse_lsn
from coachops.backup.sealing import ENDING, Keys
from coachops.core.errors import CoachError
from coachops.db import Database

SLOT = "coachops_backup"
PARTIAL = ".partial"
_SECONDS = 600.0
_NO_RIGHT = "42501"  # insufficient_privilege


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot, and where the log is now.

    Attributes:
        kept_from: oldest position that the server keeps for us.
        end: position up to which the log is safe on the server's disk.
    """

    kept_from: str
    end: str
    timeline: int

    def segment(self, size: int) -> str:
        """The file of the log that `end` stands in."""
        return Segment(parse_lsn(self.end) // size, self.timeline).name(size)


def folder_of(system_id: str) -> str:
    """Of a cluster's log at the place."""
    return f"wal/{system_id}/"


def connection_of(database: Database) -> tuple[str, dict[str, str]]:
    """What libpq's programs connect with: a string without the password, and the environment."""
    engine = database.engine
    _, found = engine.dialect.create_connect_args(engine.url)  # several hosts become lists
    parameters = {
        name: value for name, value in found.items() if name not in {"password", "context"}
    }
    parameters |= {"application_name": "coachops-backup", "connect_timeout": 10}
    if "," in str(parameters.get("host", "")):
        parameters["target_session_attrs"] = "read-write"
    password = engine.url.password
    return conninfo.make_conninfo("", **parameters), {
        "PGPASSWORD": str(password)
    } if password else {}


def slot_of(database: Database) -> Slot:
    """The slot, made where it is not there.

    Raises:
        CoachError: COACH-BKP-028 where the role may not replicate, COACH-BKP-023 where the server
            has no slot left.
    """
    try:
        with database.connect(write=True) as connection:
            query = sa.text(
                "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = :s"
            )
            found = connection.execute(query, {"s": SLOT}).first()
            if found is not None and found[0] is None:  # the server dropped what it kept
                connection.execute(sa.text("SELECT pg_drop_replication_slot(:s)"), {"s": SLOT})
                found = None
            if found is None:
                made = sa.text(
                    "SELECT lsn::text FROM pg_create_physical_replication_slot(:s, true)"
                )
                found = connection.execute(made, {"s": SLOT}).one()
            end, name = connection.execute(
                sa.text(
                    "SELECT pg_current_wal_flush_lsn()::text, "
                    "pg_walfile_name(pg_current_wal_flush_lsn())"
                )
            ).one()
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_RIGHT:
            raise CoachError("COACH-BKP-028", right="REPLICATION") from error
        raise
    except exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.ConfigurationLimitExceeded):
            raise CoachError("COACH-BKP-023", reason="max_replication_slots is used up") from error
        raise
    return Slot(str(found[0]), str(end), int(str(name)[:8], 16))


def ship(database: Database, place: Place, keys: Keys, server: live.Server) -> list[str]:
    """Bring the log up to now to the place; names of the files that were shipped.

    Raises:
        CoachError: COACH-BKP-020 when the server refuses replication, -028 without the right to it;
            those of the place.
    """
    slot = slot_of(database)
    folder = folder_of(server.system_id)
    with tempfile.TemporaryDirectory(prefix="coachops-wal-") as name:
        spool = Path(name)
        _begin_at(spool, slot, server.segment_bytes)
        target, env = connection_of(database)
        Runner().run(
            [
                programs.find("pg_receivewal", server.major),
                "--directory", spool, "--dbname", target, "--no-password", "--no-loop",
                # it stops behind this position, so the one before the end is named
                "--endpos", _text(parse_lsn(slot.end) - 1),
            ],
            env=env, timeout=_SECONDS,
        )  # fmt: skip
        shipped = list(_place_all(spool, place, keys, folder, server.segment_bytes))
    with database.connect(write=True) as connection:
        connection.execute(
            sa.text("SELECT pg_replication_slot_advance(:slot, CAST(:lsn AS pg_lsn))"),
            {"slot": SLOT, "lsn": slot.end},
        )
    return shipped


def _begin_at(spool: Path, slot: Slot, size: int) -> None:
    """An empty unfinished file makes `pg_receivewal` begin with the segment where the slot stands."""
    segment = Segment(parse_lsn(slot.kept_from) // size, slot.timeline)
    (spool / f"{segment.name(size)}{PARTIAL}").touch()


def _place_all(spool: Path, place: Place, keys: Keys, folder: str, size: int) -> Iterator[str]:
    """Seal and place what came; whole segments first, so that the end is never ahead of its past."""
    came = sorted(spool.iterdir())
    whole = [one for one in came if one.suffix != PARTIAL]
    for path in [*whole, *(one for one in came if one.suffix == PARTIAL)]:
        sealed = spool / f"sealed{ENDING}"
        keys.seal(path, sealed)
        place.put(f"{folder}{path.name}{ENDING}", sealed)
        if Segment.parse(path.name, size) is not None:
            place.delete(f"{folder}{path.name}{PARTIAL}{ENDING}")
        yield path.name


def _text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFF_FFFF:X}"
