"""Digests by bucket: a follower proves that it is equal, or finds where it is not.

A row falls into the bucket of the first byte of SHA-256 over its id (as text). A bucket has the number
of its rows and the sum, modulo 2^256, of SHA-256 over each row's canonical JSON: the columns of the
dataset, members sorted by name, no spaces, UTF-8.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.db import change_feed
from coachops.db.models import ChangeInbox, ChangeLog
from coachops.export.feed.cursor import Cursor
from coachops.export.feed.rows import canonical_rows
from coachops.export.feed.selecting import Seen
from coachops.export.limits import no_time_limit

BUCKETS = 256
_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Bucket:
    """Some of the rows.

    Attributes:
        bucket: from 0 to 255.
        count: rows.
        sum: 64 hex digits.
        changed: whether rows of it changed after the cursor that was compared at: read on, then
            compare again.
    """

    bucket: int
    count: int
    sum: str
    changed: bool


@dataclass(frozen=True, slots=True)
class FeedDigest:
    """A dataset as it is now.

    Attributes:
        pos: the newest place of the feed.
        rows: in all.
        cursor: of this moment; whoever is equal may follow from here.
        buckets: all 256.
    """

    pos: int
    rows: int
    cursor: str
    buckets: tuple[Bucket, ...]


def bucket_of(identifier: str) -> int:
    """The bucket of a row."""
    return hashlib.sha256(identifier.encode()).digest()[0]


def digest(connection: Connection, seen: Seen, at: Cursor, secret: bytes) -> FeedDigest:
    """The digests of the moment that this transaction sees, however long the reading takes.

    Parameters:
        at: up to where the follower has read; later changes mark their buckets.
    """
    no_time_limit(connection)
    counts, sums = [0] * BUCKETS, [0] * BUCKETS
    sha256, from_bytes = hashlib.sha256, int.from_bytes
    for identifier, line in canonical_rows(connection, seen.dataset, seen.rows()):
        bucket = sha256(identifier.encode()).digest()[0]
        counts[bucket] += 1
        sums[bucket] += from_bytes(sha256(line).digest(), "big")
    changed = _changed(connection, seen, at)
    pos = change_feed.head(connection)
    cursor = Cursor(at.epoch, pos, pos, at.major, at.selection)
    return FeedDigest(
        pos,
        sum(counts),
        cursor.encode(secret),
        tuple(
            Bucket(number, counts[number], f"{sums[number] % _MODULUS:064x}", number in changed)
            for number in range(BUCKETS)
        ),
    )


def _changed(connection: Connection, seen: Seen, at: Cursor) -> set[int]:
    later = [
        sa.select(ChangeLog.entity_id).where(ChangeLog.pos > at.pos, seen.changes()),
        sa.select(ChangeInbox.entity_id).where(
            seen.changes(ChangeInbox)
        ),  # committed, no place yet
    ]
    found = connection.scalars(sa.union(*later))
    return {bucket_of(str(key)) for key in found}
