"""A database with standbys: what each server is, what a failover would lose, and promoting one.

A failover manager such as Patroni promotes by itself; this is for installations without one, and
for looking. Whatever promotes, the fence (`coachops.db.fence`) keeps writes off the old primary.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Literal

import psycopg

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.failures import first_line
from coachops.db.handover import REPLAYED, opened, retire
from coachops.db.postgres import WatchedConnection
from coachops.db.servers import Facts, Host, Servers
from coachops.db.transaction import Database

Role = Literal["primary", "standby", "replaced", "away"]

PROMOTE_SECONDS = 60
_BATCH = 5_000

_SENDERS = """
SELECT application_name, coalesce(state, ''), coalesce(sync_state, ''),
       pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint,
       extract(epoch FROM flush_lag)::float8
FROM pg_stat_replication ORDER BY application_name
"""
_BEHIND = """
SELECT pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn())::bigint,
       extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8
"""


@dataclass(frozen=True, slots=True)
class Follower:
    """A standby as its primary sees it.

    Attributes:
        name: application_name of its connection.
        state: `streaming` when it keeps up.
        sync_state: `sync` or `quorum` where commits wait for it; empty where this user may not see.
        behind_bytes: of the log that it has not confirmed; None where this user may not see.
        behind_seconds: how old the newest confirmed byte was when it was confirmed.
    """

    name: str
    state: str
    sync_state: str
    behind_bytes: int | None
    behind_seconds: float | None

    @property
    def confirms(self) -> bool:
        """Whether commits wait for this one, and it answers."""
        return self.state == "streaming" and self.sync_state in {"sync", "quorum"}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server of the URL.

    Attributes:
        role: `replaced` is an old primary that the fence keeps writes from.
        timeline: of its history; 0 where it is away.
        behind_bytes: how much of the primary's log a standby does not show yet.
        behind_seconds: age of the newest change that it shows, where it is behind.
        lost_writes: acknowledged writes that only this replaced primary holds.
        newest_lost_at: when the last of them was made.
        detail: why it is away.
    """

    host: str
    role: Role
    timeline: int = 0
    behind_bytes: int | None = None
    behind_seconds: float | None = None
    lost_writes: int | None = None
    newest_lost_at: dt.datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """All servers, and what a failover would lose.

    Attributes:
        followers: standbys connected to the primary.
        loses_nothing: whether every acknowledged write is on a standby (RPO 0).
        warnings: what an admin should mend.
    """

    servers: tuple[ServerStatus, ...]
    followers: tuple[Follower, ...]
    loses_nothing: bool
    warnings: tuple[str, ...]


def status(database: Database) -> ClusterStatus:
    """What every server of the database is now.

    Raises:
        CoachError: COACH-DB-012 for an embedded database, which has no servers.
    """
    servers = _servers(database)
    seen = dict(servers.facts())
    _learn(servers, seen)
    primary = _primary(servers, seen)
    followers: tuple[Follower, ...] = ()
    position = None
    if primary is not None:
        with opened(servers, primary.host) as connection:
            followers = tuple(Follower(*row) for row in connection.execute(_SENDERS).fetchall())
            position = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    rows = tuple(_one(servers, host, said, primary, position) for host, said in seen.items())
    safe = (
        primary is not None
        and primary.synchronous
        and any(follower.confirms for follower in followers)
    )
    return ClusterStatus(rows, followers, safe, _warnings(rows, primary, followers))


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did.

    Attributes:
        host: the new primary. timeline: of its history from now on.
        replaced: the old primary, where it answered.
        newest_write_at: of the operations that the new primary holds: what was acknowledged later
            is not there.
        waits_for: standbys that its commits wait for although none is connected; empty: none.
    """

    host: str
    timeline: int
    replaced: str
    newest_write_at: dt.datetime | None
    waits_for: str


def promote(
    database: Database, *, to: str | None = None, force: bool = False, alone: bool = False
) -> Promotion:
    """Make a standby the primary: the one that holds most of the log, or `to` (host:port).

    Parameters:
        force: although the primary answers: it is made read-only first, its sessions are ended, and
            the standby takes all it has.
        alone: let the new primary commit without a standby until one is joined again.

    Raises:
        CoachError: COACH-DB-012 where the primary answers, no standby does, or the user of the URL
            may not promote.
    """
    servers = _servers(database)
    seen = dict(servers.facts())
    _learn(servers, seen)
    old = _primary(servers, seen)
    if old is not None and not force:
        raise CoachError(
            "COACH-DB-012",
            reason=f"the primary at {old.host} answers",
            advice="Stop it first, or repeat with --force to replace it as planned",
        )
    host = _chosen(servers, seen, to)
    try:
        if old is not None:
            retire(servers, old.host, host)
        with opened(servers, host) as connection:
            connection.execute(f"SET statement_timeout = '{PROMOTE_SECONDS + 5}s'")
            done = connection.execute("SELECT pg_promote(true, %s)", (PROMOTE_SECONDS,)).fetchone()
    except psycopg.Error as error:
        raise CoachError(
            "COACH-DB-012",
            reason=first_line(error),
            advice="The user of COACHOPS_DATABASE_URL must be a superuser for this command",
        ) from error
    if not done or not done[0]:
        raise CoachError(
            "COACH-DB-012",
            reason=f"{host} did not become the primary within {PROMOTE_SECONDS} s",
            advice="It may still become one: look at its log, and do not start the old one meanwhile",
        )
    with opened(servers, host) as connection:
        facts: Facts = connection.facts
        servers.fence.note(facts.system, facts.timeline)
        waits_for = _standbys_to_wait_for(connection, alone=alone)
        newest = connection.execute("SELECT max(at) FROM operations").fetchone()
    return Promotion(
        host=str(host),
        timeline=facts.timeline,
        replaced="" if old is None else str(old.host),
        newest_write_at=newest[0].astimezone(clock.UTC) if newest and newest[0] else None,
        waits_for=waits_for,
    )


def accept(database: Database, host: str) -> Facts:
    """Make this server's history the valid one although a newer one was seen.

    Raises:
        CoachError: COACH-DB-012 where it is no primary of the URL, or does not answer.
    """
    servers = _servers(database)
    for known, said in servers.facts():
        if str(known) == host and isinstance(said, Facts) and not said.standby:
            servers.fence.accept(said.system, said.timeline)
            return said
    raise CoachError(
        "COACH-DB-012",
        reason=f"{host} is no primary that answers",
        advice="Name a server of COACHOPS_DATABASE_URL as host:port",
    )


def _servers(database: Database) -> Servers:
    if database.servers is None:
        raise CoachError(
            "COACH-DB-012",
            reason="the database is a file without servers",
            advice="Set COACHOPS_DATABASE_URL to PostgreSQL for a database with a standby",
        )
    return database.servers


def _learn(servers: Servers, seen: dict[Host, Facts | psycopg.OperationalError]) -> None:
    """Know the newest timeline before judging who is the primary."""
    for said in seen.values():
        if isinstance(said, Facts) and not said.standby:
            servers.fence.note(said.system, said.timeline)


def _primary(servers: Servers, seen: dict[Host, Facts | psycopg.OperationalError]) -> Facts | None:
    for said in seen.values():
        if isinstance(said, Facts) and not said.standby and not servers.fenced(said):
            return said
    return None


def _one(
    servers: Servers,
    host: Host,
    said: Facts | psycopg.OperationalError,
    primary: Facts | None,
    position: Any,
) -> ServerStatus:
    if not isinstance(said, Facts):
        return ServerStatus(str(host), "away", detail=first_line(said))
    if servers.fenced(said):
        found = ServerStatus(str(host), "replaced", said.timeline)
        return found if primary is None else _lost(servers, found, host, primary.host)
    if not said.standby:
        return ServerStatus(str(host), "primary", said.timeline)
    if position is None:
        return ServerStatus(str(host), "standby", said.timeline)
    with opened(servers, host) as connection:
        row: Any = connection.execute(_BEHIND, position).fetchone()
    behind = max(0, row[0]) if row[0] is not None else None
    return ServerStatus(str(host), "standby", said.timeline, behind, row[1] if behind else 0.0)


def _lost(servers: Servers, found: ServerStatus, old: Host, new: Host) -> ServerStatus:
    """Count the operations that only the replaced primary holds, newest first.

    They came last before the failover, so counting ends at the first batch that is all there.
    """
    lost, newest, before = 0, None, None
    with opened(servers, old) as one, opened(servers, new) as other:
        while True:
            rows = one.execute(
                "SELECT id, at FROM operations WHERE %(before)s::timestamptz IS NULL "
                "OR (at, id) < (%(before)s, %(id)s) ORDER BY at DESC, id DESC LIMIT %(limit)s",
                {"before": before and before[1], "id": before and before[0], "limit": _BATCH},
            ).fetchall()
            if not rows:
                break
            there = other.execute(
                "SELECT id FROM operations WHERE id = ANY(%s)", ([row[0] for row in rows],)
            ).fetchall()
            missing = {row[0] for row in rows} - {row[0] for row in there}
            if not missing:
                break
            lost += len(missing)
            newest = newest or max(row[1] for row in rows if row[0] in missing)
            before = rows[-1]
    at = newest.astimezone(clock.UTC) if newest else None
    return replace(found, lost_writes=lost, newest_lost_at=at)


def _warnings(
    rows: tuple[ServerStatus, ...], primary: Facts | None, followers: tuple[Follower, ...]
) -> tuple[str, ...]:
    found = []
    for row in rows:
        if row.role == "away":
            found.append(f"{row.host} does not answer: {row.detail}.")
        if row.role == "replaced":
            lost = f" It holds {row.lost_writes} writes that were lost." if row.lost_writes else ""
            found.append(
                f"{row.host} is an old primary (timeline {row.timeline}) and is not written to: "
                f"stop it and join it as a standby.{lost}"
            )
    if primary is None:
        found.append("No server takes writes: run 'coachops db promote'.")
    elif not followers:
        found.append("No standby is connected: a failure of this server is an outage (RPO > 0).")
    elif not primary.synchronous:
        behind = max((follower.behind_bytes or 0 for follower in followers), default=0)
        found.append(
            f"Commits do not wait for a standby: a failover loses what was acknowledged last "
            f"(RPO > 0; {behind} bytes now). Set synchronous_standby_names."
        )
    elif not any(follower.confirms for follower in followers):
        found.append("Commits wait for a standby that is not streaming: writes stand still.")
    return tuple(found)


def _chosen(
    servers: Servers, seen: dict[Host, Facts | psycopg.OperationalError], to: str | None
) -> Host:
    standbys = [host for host, said in seen.items() if isinstance(said, Facts) and said.standby]
    if to is not None:
        standbys = [host for host in standbys if str(host) == to]
    if not standbys:
        named = f"{to} is no standby that answers" if to else "no standby answers"
        raise CoachError(
            "COACH-DB-012", reason=named, advice="Start one, or name it in COACHOPS_DATABASE_URL"
        )

    def received(host: Host) -> int:
        with opened(servers, host) as connection:
            row: Any = connection.execute(
                f"SELECT pg_wal_lsn_diff(({REPLAYED}), '0/0')::bigint"
            ).fetchone()
            return row[0] or 0

    return max(standbys, key=received)


def _standbys_to_wait_for(connection: WatchedConnection, *, alone: bool) -> str:
    """The names its commits wait for in vain; reset where it may commit alone."""
    row: Any = connection.execute(
        "SELECT current_setting('synchronous_standby_names'), "
        "EXISTS (SELECT 1 FROM pg_stat_replication)"
    ).fetchone()
    if not row[0] or row[1]:
        return ""
    if alone:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        connection.execute("SELECT pg_reload_conf()")
        return ""
    return str(row[0])
