"""The planned change of the primary: the old one stops taking writes, the standby gets all of them."""

from __future__ import annotations

from typing import Any

import psycopg

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.postgres import WatchedConnection
from coachops.db.servers import Host, Servers

CATCH_UP_SECONDS = 30.0
"""How long the standby may take to receive what the primary wrote last."""

REPLAYED = "SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
"""How far a standby has received the log."""


def opened(servers: Servers, host: Host) -> WatchedConnection:
    """A connection to one server, outside any transaction."""
    connection = servers.open(host)
    connection.autocommit = True
    return connection


def retire(servers: Servers, old: Host, new: Host) -> None:
    """A planned change: no more writes on the old primary, and the standby has all of them.

    Raises:
        CoachError: COACH-DB-012 where the standby does not catch up; the old primary stays the one.
    """
    with opened(servers, old) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        position = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    try:
        caught_up = _catches_up(servers, new, position)
    except psycopg.Error:
        caught_up = False
    if caught_up:
        return
    with opened(servers, old) as connection:  # nobody took its place: writes must go on
        connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")
    raise CoachError(
        "COACH-DB-012",
        reason=f"{new} does not catch up with the primary at {old}, which takes writes again",
        advice="Find out why the standby lags before you repeat it",
    )


def _catches_up(servers: Servers, new: Host, position: Any) -> bool:
    """Whether the standby receives the log up to `position` in time."""
    ends = clock.monotonic() + CATCH_UP_SECONDS
    with opened(servers, new) as standby:
        while True:
            row: Any = standby.execute(
                f"SELECT ({REPLAYED}) >= %s::pg_lsn, pg_sleep(0.05)",
                position,
            ).fetchone()
            if row[0] or clock.monotonic() > ends:
                return bool(row[0])
