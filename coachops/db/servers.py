"""The servers that a PostgreSQL URL names, and the choice among them for each new connection.

Writing goes to the one server that takes writes and is on the newest timeline; the one that was good
last is asked first. Reading in the absence of a primary goes to any server but a fenced one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from coachops.core import clock
from coachops.db.fence import Fence
from coachops.db.postgres import WatchedConnection

log = logging.getLogger("coachops.db")

SILENT_SECONDS = 10.0
"""For so long a server that did not answer is asked last: each question costs seconds."""

LOOK_AROUND_SECONDS = 30.0
"""So often at most the other servers are asked for a newer history while nothing seems wrong."""

_FACTS = """
SELECT pg_is_in_recovery(),
       current_setting('transaction_read_only') = 'on',
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery()
            THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
       current_setting('synchronous_standby_names') <> ''
         AND current_setting('synchronous_commit') NOT IN ('off', 'local'),
       extract(epoch FROM pg_postmaster_start_time())::float8
"""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server listens; an empty name is the driver's own default."""

    name: str
    port: str

    def __str__(self) -> str:
        return f"{self.name or 'localhost'}:{self.port or '5432'}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself.

    Attributes:
        host: where it was reached.
        standby: whether it follows another server.
        takes_writes: whether a transaction may write.
        system: identifier of its cluster; primary and standbys share it.
        timeline: of its history; a promotion begins a new one.
        synchronous: whether its commits wait for a standby.
        started: when it was started, seconds since 1970.
    """

    host: Host
    standby: bool
    takes_writes: bool
    system: str
    timeline: int
    synchronous: bool
    started: float = 0.0


class NoPrimaryError(psycopg.OperationalError):
    """Servers answer, but none of them takes writes.

    `code`, `details` and `readable` (whether a server can be read) tell the layer above.
    """

    code = "COACH-DB-007"
    readable = True

    def __init__(self) -> None:
        super().__init__("no server takes writes")
        self.details = {"reason": "the primary server does not answer; a standby does"}


class FencedError(psycopg.OperationalError):
    """The only server that would take writes has an older history than the one we wrote to."""

    code = "COACH-DB-011"
    readable = False

    def __init__(self, facts: Facts) -> None:
        super().__init__(f"{facts.host} holds an older history")
        self.details = {"host": str(facts.host)}


class Servers:
    """The servers of a URL.

    Parameters:
        parameters: connection parameters of the driver; `host` and `port` may be lists with commas.
        fence: what is known of timelines.
    """

    def __init__(self, parameters: Mapping[str, Any], fence: Fence) -> None:
        names = str(parameters.get("host", "")).split(",")
        ports = str(parameters.get("port", "")).split(",")
        if len(ports) < len(names):
            ports += [ports[0]] * (len(names) - len(ports))
        self.hosts = [Host(name, port) for name, port in zip(names, ports, strict=False)]
        self.fence = fence
        own = {"host", "port", "target_session_attrs", "load_balance_hosts"}
        self._parameters = {name: v for name, v in parameters.items() if name not in own}
        self._good: Host | None = None
        self._silent: dict[Host, float] = {}
        self._looked: dict[Host, tuple[float, float]] = {}
        """For each primary, its start and when the others were last asked beside it."""

    def connect(self, *, write: bool, context: Any = None) -> WatchedConnection:
        """A new connection to the server that may be written to, or (`write=False`) read from.

        Parameters:
            context: adapters of the driver, of the engine that the connection is for.

        Raises:
            NoPrimaryError: only standbys answer. FencedError: only an old primary does.
            psycopg.OperationalError: nobody answers.
        """
        failures: list[psycopg.OperationalError] = []
        for host in sorted(self.hosts, key=self._rank):
            try:
                connection = self.open(host, context)
            except psycopg.OperationalError as error:
                self._silent[host] = clock.monotonic()
                failures.append(error)
                continue
            self._silent.pop(host, None)
            try:
                self._admit(connection.facts, write=write)
            except psycopg.OperationalError as error:
                connection.close()
                failures.append(error)
                continue
            if write:
                self._good = host
            return connection
        told = max(failures, key=_telling)
        if isinstance(told, FencedError):
            told.readable = any(isinstance(error, NoPrimaryError) for error in failures)
        raise told

    def open(self, host: Host, context: Any = None) -> WatchedConnection:
        """A connection to this server, whatever it is, with its facts read."""
        connection = WatchedConnection.connect(**self.parameters(host), context=context)
        try:
            row: Any = connection.execute(_FACTS).fetchone()
            connection.rollback()
        except psycopg.Error:
            connection.close()
            raise
        standby, read_only, system, timeline, synchronous, started = row
        connection.facts = Facts(
            host, standby, not read_only, system, timeline, synchronous, started
        )
        return connection

    def parameters(self, host: Host) -> dict[str, Any]:
        """What any driver over libpq needs to connect to this server; a password may be in it."""
        address = {"host": host.name, "port": host.port}
        return {**self._parameters, **{name: value for name, value in address.items() if value}}

    def facts(self) -> Iterator[tuple[Host, Facts | psycopg.OperationalError]]:
        """Every server of the URL with what it says, or why it does not."""
        for host in self.hosts:
            try:
                connection = self.open(host)
            except psycopg.OperationalError as error:
                yield host, error
            else:
                connection.close()
                yield host, connection.facts

    def fenced(self, facts: Facts) -> bool:
        """Whether this is a primary with an older history than one that was written to."""
        return not facts.standby and facts.timeline < self.fence.highest(facts.system)

    def _rank(self, host: Host) -> tuple[bool, bool]:
        """Whom to ask first: who was good last, before who did not answer a moment ago."""
        return self._is_silent(host), host != self._good

    def _is_silent(self, host: Host) -> bool:
        at = self._silent.get(host)
        return at is not None and clock.monotonic() - at < SILENT_SECONDS

    def _admit(self, facts: Facts, *, write: bool) -> None:
        if write and not facts.takes_writes:
            raise NoPrimaryError
        if facts.standby:
            return
        self._look_around(facts)
        if self.fenced(facts):
            raise FencedError(facts)
        if self.fence.note(facts.system, facts.timeline):
            said = {"timeline": facts.timeline, "to": str(facts.host)}
            log.warning("the database has a new primary", extra=said)

    def _look_around(self, first: Facts) -> None:
        """Learn the timelines of the other servers, so that no old primary is taken for the valid one.

        A machine that was idle during a failover has not seen the new primary. So it looks when it
        knows nothing yet, when this server was started since (as an old primary that returns was),
        and from time to time.
        """
        known, now = self._looked.get(first.host), clock.monotonic()
        if (
            self.fence.highest(first.system)
            and known is not None
            and known[0] == first.started
            and now - known[1] < LOOK_AROUND_SECONDS
        ):
            return
        self._looked[first.host] = (first.started, now)
        for host in self.hosts:
            if host == first.host or self._is_silent(host):
                continue
            try:
                connection = self.open(host)
            except psycopg.OperationalError:
                self._silent[host] = clock.monotonic()
                continue
            connection.close()
            other: Facts = connection.facts
            if not other.standby and other.system == first.system:
                self.fence.note(other.system, other.timeline)


def _telling(error: psycopg.OperationalError) -> int:
    """Of several servers' failures the one that says most is shown."""
    return 1 + isinstance(error, FencedError) if hasattr(error, "code") else 0
