"""Where reads and writes of PostgreSQL go: to the primary, and reads to any server without one.

What connections meet on the way is the state of the database that people are shown.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine

from coachops.core.errors import CoachError
from coachops.db.failures import RETRY_AFTER_SECONDS, first_line
from coachops.db.state import Watch

if TYPE_CHECKING:
    from coachops.db.servers import Servers

READERS_LOOK_EVERY = 5.0
"""Seconds between readers' looks for a primary that is away: one look may take seconds itself."""

NO_STANDBY = "commits wait for a standby that is not connected"

_STANDBY_AWAY = """
SELECT current_setting('synchronous_standby_names') <> ''
   AND current_setting('synchronous_commit') NOT IN ('off', 'local')
   AND NOT EXISTS (
       SELECT 1 FROM pg_stat_replication
       WHERE coalesce(state, 'streaming') = 'streaming'
         AND coalesce(sync_state, 'sync') IN ('sync', 'quorum'))
"""
"""Whether every commit would wait in vain. Without pg_monitor the rows are seen, but no states."""


class Routes:
    """Connections of one database by purpose.

    Parameters:
        engine: goes to the primary. fallback: goes to any server and keeps no connection.
        watch: learns what is seen.
    """

    def __init__(self, servers: Servers, engine: Engine, fallback: Engine, watch: Watch) -> None:
        self._servers = servers
        self._engine = engine
        self._fallback = fallback
        self._watch = watch

    def primary(self, *, write: bool, look: bool = False) -> Connection:
        """A connection to the primary.

        Parameters:
            look: ask about its standby although there is no doubt.

        Raises:
            CoachError: COACH-DB-007 for a write whose commit would wait for a standby that is away.
        """
        try:
            connection = self._engine.connect()
        except exc.DBAPIError as error:
            readable = getattr(error.orig, "readable", False)
            self._watch.saw("read_only" if readable else "down", first_line(error.orig))
            raise
        if self._watch.state.writable and not look:
            self._watch.saw("read_write")
            return connection
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)
            away = bool(connection.exec_driver_sql(_STANDBY_AWAY).scalar())
            connection.rollback()
            self._watch.saw("read_only" if away else "read_write", NO_STANDBY if away else "")
            if away and write:
                raise CoachError("COACH-DB-007", reason=NO_STANDBY, retry_after=RETRY_AFTER_SECONDS)
            undo.pop_all()
        return connection

    def readable(self) -> Connection:
        """A connection to the primary where there is one, else to any server."""
        if not self._watch.state.writable and self._watch.fresh(READERS_LOOK_EVERY):
            return self._other()
        try:
            return self.primary(write=False)
        except exc.DBAPIError as error:
            if len(self._servers.hosts) == 1 and not hasattr(error.orig, "code"):
                raise  # the only server does not answer, and would not answer now
            return self._other()

    def look(self) -> None:
        """Learn the state; a pool that is all in use says nothing about the servers."""
        with contextlib.suppress(CoachError, exc.SQLAlchemyError):
            self.primary(write=False, look=True).close()

    def close(self) -> None:
        """Close what is kept beside the engine."""
        self._fallback.dispose()

    def _other(self) -> Connection:
        try:
            return self._fallback.connect()
        except exc.DBAPIError as error:
            self._watch.saw("down", first_line(error.orig))
            raise
