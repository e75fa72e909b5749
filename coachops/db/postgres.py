"""Connections to PostgreSQL that notice a silent server and a commit without its confirmation.

The driver waits for an answer without limit, and TCP keeps a connection to a stopped process alive
for ever. So a connection that hears nothing for a while asks, on a socket of its own, whether the
server still takes connections; where it does not, the connection is given up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import Any, Self

import psycopg
from psycopg import pq

from coachops.core import clock

SILENCE_SECONDS = 2.0
"""Without an answer for so long, the server is asked whether it lives."""

PING_SECONDS = 2
"""How long that question waits (the smallest limit that libpq has)."""

_ALIVE = (pq.Ping.OK, pq.Ping.REJECT)


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that gives up a silent server.

    Attributes:
        unconfirmed: whether a COMMIT returned although its wait for the standby was cancelled.
        facts: what the server said of itself when the connection was made.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unconfirmed = False
        self.facts: Any = None
        self._limit: float | None = None
        self.add_notice_handler(self._heard)

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[Self]:
        """Inside the block no answer is waited for longer than `seconds`, though the server lives."""
        self._limit = seconds
        try:
            yield self
        finally:
            self._limit = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, watching that one can still come."""
        return super().wait(self._watched(gen), interval, timeout)

    def _watched(self, gen: Any) -> Generator[Any, Any, Any]:
        """`gen`, whose wake-ups without data are counted."""
        try:
            asked = next(gen)
            began = heard = clock.monotonic()
            while True:
                ready = yield asked
                now = clock.monotonic()
                if ready:
                    heard = now
                elif self._limit is not None and now - began > self._limit:
                    self._give_up("no answer within the limit")
                elif now - heard > SILENCE_SECONDS:
                    if not self._server_lives():
                        self._give_up("the server has stopped answering")
                    heard = clock.monotonic()
                asked = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    def _server_lives(self) -> bool:
        host, port = self.pgconn.host, self.pgconn.port
        address = f"host='{host.decode()}' port={port.decode()} connect_timeout={PING_SECONDS}"
        return pq.PGconn.ping(address.encode()) in _ALIVE

    def _give_up(self, reason: str) -> None:
        self.pgconn.finish()  # the server rolls back what it had not committed
        raise psycopg.OperationalError(reason)

    def _heard(self, notice: psycopg.errors.Diagnostic) -> None:
        """Mark a cancelled wait for the standby.

        Its text is translated by the server; where in the server's source it comes from is not.
        The SQLSTATEs: 01000 the wait was cancelled, 57P01 the session is being ended in it.
        """
        if notice.sqlstate in {"01000", "57P01"} and (
            notice.source_function == "SyncRepWaitForLSN"
            or (notice.source_file or "").endswith("syncrep.c")
        ):
            self.unconfirmed = True
