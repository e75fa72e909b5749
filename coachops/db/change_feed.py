"""The change feed's order: places for what was committed, the head, this history's name, forgetting.

A follower keeps the place up to which it has read. That is safe because places are given in one order
in which changes become visible, too: on SQLite one transaction writes at a time; on PostgreSQL the
*sequencer* gives places to what it sees committed, one sequencer at a time. A number taken while
writing would not do: a transaction that commits late would stand behind where followers have read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import clock, ids
from coachops.db.capture import relog
from coachops.db.coached import keep_day
from coachops.db.models import ChangeInbox, ChangeLog, FeedMeta
from coachops.db.transaction import Database

LOCK = 7_301_011
"""Advisory lock of the sequencer."""

BATCH = 50_000
"""Changes that get their places in one transaction."""

COMPACT_AFTER = dt.timedelta(days=7)
"""Older changes of a row are forgotten where a newer one says the same to the same followers."""

_FORGET_AT_ONCE = 5_000

_GIVE_PLACES = """
WITH batch AS (SELECT seq FROM change_inbox ORDER BY seq LIMIT :batch),
     taken AS (DELETE FROM change_inbox i USING batch b WHERE i.seq = b.seq RETURNING i.*)
INSERT INTO change_log
       (pos, entity, entity_id, op, coach_old, coach_new, client_old, client_new, at)
SELECT h.head_pos + row_number() OVER (ORDER BY t.seq), t.entity, t.entity_id, t.op,
       t.coach_old, t.coach_new, t.client_old, t.client_new, t.at
FROM taken t, feed_meta h
"""

_TIMELINE = """
SELECT system_identifier::text || '/' ||
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id::text FROM pg_control_checkpoint())
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::text END
FROM pg_control_system()
"""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the feed knows of itself at one moment.

    Attributes:
        epoch: name of this history; another one after a restore, a failover, a load past triggers.
        head: the newest place.
        floor: deletions up to here are forgotten.
        backlog: committed changes without a place (PostgreSQL).
        oldest_waiting: since when the oldest of them waits.
        entries: changes kept.
    """

    epoch: str
    head: int
    floor: int
    backlog: int
    oldest_waiting: dt.datetime | None
    entries: int


def sequence(database: Database) -> bool:
    """Give places to what was committed, the end of days included; any number of processes may.

    Returns:
        whether nothing was left waiting that was there when this began.
    """
    keep_day(database)
    if database.is_sqlite:
        return True
    while True:
        with database.connect() as connection:
            if not connection.scalar(sa.text("SELECT EXISTS (SELECT FROM change_inbox)")):
                return True
        if _give_places(database) < BATCH:
            return True


def _give_places(database: Database) -> int:
    with database.connect(write=True) as connection:
        connection.execute(sa.text("SET LOCAL synchronous_commit = on"))
        # a statement of its own: the next one must see what the sequencer before committed
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": LOCK})
        given = connection.execute(sa.text(_GIVE_PLACES), {"batch": BATCH}).rowcount
        connection.execute(
            sa.update(FeedMeta).where(FeedMeta.id == 1).values(head_pos=FeedMeta.head_pos + given)
        )
        return given


def head(connection: Connection) -> int:
    """The newest place in the snapshot of this transaction; 0 where there is none.

    Read it as the first statement of a transaction that copies the data: every change that the copy
    does not hold has a later place.
    """
    if connection.dialect.name == "sqlite":  # counts on where entries were forgotten
        last = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'change_log'")
        return int(connection.scalar(last) or 0)
    return int(connection.scalar(sa.select(FeedMeta.head_pos)) or 0)


def floor(connection: Connection) -> int:
    """Deletions up to this place are forgotten."""
    return int(connection.scalar(sa.select(FeedMeta.floor_pos)) or 0)


def epoch(connection: Connection) -> str:
    """The name of this history of the data: 16 hex digits."""
    own, generation = connection.execute(sa.select(FeedMeta.epoch, FeedMeta.generation)).one()
    parts = [str(own), str(generation)]
    if connection.dialect.name != "sqlite":
        parts.append(str(connection.scalar(sa.text(_TIMELINE))))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def bump_epoch(connection: Connection) -> None:
    """Begin another history: what followers read before must not be continued from here.

    For whoever changes data past the triggers, or sets them back: a restored backup, a load with
    `session_replication_role = replica`.
    """
    connection.execute(
        sa.update(FeedMeta).values(epoch=ids.new_id(), generation=FeedMeta.generation + 1)
    )


def state(connection: Connection) -> FeedState:
    """How the feed stands."""
    backlog, oldest = connection.execute(
        sa.select(sa.func.count(), sa.func.min(ChangeInbox.at))
    ).one()
    entries = connection.scalar(sa.select(sa.func.count()).select_from(ChangeLog)) or 0
    return FeedState(
        epoch(connection), head(connection), floor(connection), backlog, oldest, entries
    )


def note_versions(database: Database, versions: dict[str, str]) -> list[str]:
    """Tell followers of schemas that changed: rows of those datasets are noted anew.

    Parameters:
        versions: of every dataset.

    Returns:
        datasets whose rows were noted.
    """
    with database.connect() as connection:
        if connection.scalar(sa.select(FeedMeta.versions)) == versions:
            return []
    with database.connect(write=True) as connection:
        known = connection.scalar(sa.select(FeedMeta.versions).with_for_update()) or {}
        changed = [name for name in versions if known.get(name, versions[name]) != versions[name]]
        for name in changed:
            relog(connection, name)
        connection.execute(sa.update(FeedMeta).values(versions=versions))
        return changed


def forget(database: Database, keep: dt.timedelta) -> int:
    """Compact the feed, and forget deletions and moves older than `keep`; returns entries removed.

    What stays is always enough to begin from nothing: the newest change of each row, for each coach
    and client who may see it.
    """
    now = clock.now()
    removed = _compact(database, now - COMPACT_AFTER)
    log = ChangeLog
    leaves = sa.or_(log.op == "D", log.coach_old.is_not(None), log.client_old.is_not(None))
    with database.connect(write=True) as connection:
        old = sa.and_(leaves, log.at < now - keep)
        newest = connection.scalar(sa.select(sa.func.max(log.pos)).where(old))
        if newest is None:
            return removed
        connection.execute(
            sa.update(FeedMeta).where(FeedMeta.floor_pos < newest).values(floor_pos=newest)
        )
        gone = connection.execute(sa.delete(log).where(old, log.op == "D", log.pos <= newest))
        connection.execute(  # the row is still somewhere: only where it was is forgotten
            sa.update(log).where(old, log.pos <= newest).values(coach_old=None, client_old=None)
        )
        return removed + gone.rowcount


def _compact(database: Database, before: dt.datetime) -> int:
    """Remove changes that a newer one of the same row covers: it reaches the same followers."""
    log = ChangeLog
    reached = sa.union_all(
        sa.select(log.entity, log.entity_id, log.coach_new.label("coach"),
                  log.client_new.label("client"), log.pos),
        sa.select(log.entity, log.entity_id, sa.func.coalesce(log.coach_old, log.coach_new),
                  sa.func.coalesce(log.client_old, log.client_new), log.pos)
        .where(sa.or_(log.coach_old.is_not(None), log.client_old.is_not(None))),
    ).subquery()  # fmt: skip
    keys = (reached.c.entity, reached.c.entity_id, reached.c.coach, reached.c.client)
    newest = (
        sa.select(*keys, sa.func.max(reached.c.pos).label("pos"))
        .group_by(*keys)
        .having(sa.func.count() > 1)
        .subquery()
    )
    covered = sa.select(log.pos).join(
        newest,
        sa.and_(
            newest.c.entity == log.entity,
            newest.c.entity_id == log.entity_id,
            newest.c.coach.is_not_distinct_from(log.coach_new),
            newest.c.client.is_not_distinct_from(log.client_new),
            newest.c.pos > log.pos,
        ),
    ).where(
        log.op == "U", log.coach_old.is_(None), log.client_old.is_(None), log.at < before
    )  # fmt: skip
    with database.connect() as connection:  # what is covered stays covered: no lock while looking
        places = connection.scalars(covered).all()
    for start in range(0, len(places), _FORGET_AT_ONCE):
        some = places[start : start + _FORGET_AT_ONCE]
        with database.connect(write=True) as connection:
            connection.execute(sa.delete(log).where(log.pos.in_(some)))
    return len(places)
