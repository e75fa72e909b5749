"""Pages of the feed: what changed after a cursor, as the rows are now.

Each change is a flat object: the row's columns with `_version` (its place) and `_deleted` false; or
only its key with `_deleted` true and `_reason`: `deleted`, or `scope` where it went out of what the
follower sees. Delivery is at least once: a follower applies a change whose `_version` is higher than
the one it has of that row. Read in order it ends equal, whenever it stopped and began again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core.errors import CoachError
from coachops.db import change_feed
from coachops.db.models import ChangeLog
from coachops.export.feed.cursor import Cursor
from coachops.export.feed.rows import existing, rows_by_key
from coachops.export.feed.selecting import Seen

MOST = 10_000
"""Changes on one page."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the feed.

    Attributes:
        changes: encoded JSON objects, in order.
        cursor: where the next page begins.
        from_pos, to_pos: the places before and at its end.
        has_more: whether the next page may hold something already.
        head: the newest place of the feed.
        floor: deletions up to here are forgotten.
    """

    changes: Sequence[bytes]
    cursor: str
    from_pos: int
    to_pos: int
    has_more: bool
    head: int
    floor: int

    @property
    def etag(self) -> str:
        """Changes when the page does."""
        digest = hashlib.sha256(b"\n".join(self.changes))
        digest.update(f"|{self.from_pos}|{self.to_pos}|{self.has_more}".encode())
        return f'W/"{digest.hexdigest()[:32]}"'


def resume(connection: Connection, seen: Seen, text: str | None, secret: bytes) -> Cursor:
    """Where a follower is: what its cursor says, or the beginning.

    Raises:
        CoachError: COACH-FED-001 to -005.
    """
    epoch, head = change_feed.epoch(connection), change_feed.head(connection)
    if not text:
        return Cursor(epoch, 0, head, seen.major, seen.digest)
    found = Cursor.decode(text, secret)
    if found.selection != seen.digest:
        raise CoachError("COACH-FED-002")
    links = {"bulk": "/v1/exports", "digest": f"/v1/digest?dataset={seen.dataset.name}"}
    if found.epoch != epoch or found.pos > head:
        raise CoachError("COACH-FED-003", links=links)
    if found.major != seen.major:
        raise CoachError(
            "COACH-FED-005", had=found.major, now=seen.major,
            links=links | {"schema": seen.dataset.schema_id},
        )  # fmt: skip
    if max(found.pos, found.start) < change_feed.floor(connection):
        raise CoachError("COACH-FED-004", links=links)
    return found


def page(
    connection: Connection,
    seen: Seen,
    at: Cursor,
    secret: bytes,
    limit: int = 1000,
    *,
    cursor_in_rows: bool = False,
) -> Page:
    """The changes after `at`; the transaction must see one moment (`Database.connect`).

    Parameters:
        limit: changes at most; a row that changed several times on the page is told once.
        cursor_in_rows: give each row the page's cursor as `_cursor`, for clients whose bookmark is
            the highest value of a column.
    """
    head = change_feed.head(connection)
    entries = connection.execute(
        sa.select(ChangeLog.pos, _as_text(connection))
        .where(ChangeLog.pos > at.pos, ChangeLog.pos <= head, seen.changes())
        .order_by(ChangeLog.pos)
        .limit(limit)
    ).all()
    full = len(entries) == limit
    to = entries[-1].pos if full else head
    newest: dict[str, int] = {}
    for pos, key in entries:
        newest.pop(key, None)  # a later place moves it to the end
        newest[key] = pos
    if connection.dialect.name == "sqlite":
        newest = {f"{k[:8]}-{k[8:12]}-{k[12:16]}-{k[16:20]}-{k[20:]}": p for k, p in newest.items()}
    text = Cursor(at.epoch, to, at.start, at.major, at.selection).encode(secret)
    more = f',"_cursor":"{text}"' if cursor_in_rows else ""
    return Page(
        _changes(connection, seen, newest, more),
        text,
        at.pos,
        to,
        full and to < head,
        head,
        change_feed.floor(connection),
    )


def _as_text(connection: Connection) -> sa.ColumnElement[str]:
    """The id as the database has it, without making an object of each."""
    if connection.dialect.name == "sqlite":
        return sa.type_coerce(ChangeLog.entity_id, sa.String())
    return sa.cast(ChangeLog.entity_id, sa.String())


def _changes(connection: Connection, seen: Seen, newest: dict[str, int], more: str) -> list[bytes]:
    rows = rows_by_key(connection, seen.dataset, newest, seen.rows())
    ending = f',"_deleted":false{more}}}'.encode()
    if len(rows) == len(newest):  # nearly always
        return [
            b'%b,"_version":%d%b' % (rows[key][:-1], pos, ending) for key, pos in newest.items()
        ]
    gone = [key for key in newest if key not in rows]
    elsewhere = frozenset[str]() if seen.everything else existing(connection, seen.dataset, gone)
    name = seen.dataset.key
    changes = []
    for key, pos in newest.items():
        row = rows.get(key)
        if row is not None:
            changes.append(b'%b,"_version":%d%b' % (row[:-1], pos, ending))
            continue
        reason = "scope" if key in elsewhere else "deleted"
        changes.append(
            f'{{"{name}":"{key}","_version":{pos},"_deleted":true,'
            f'"_reason":"{reason}"{more}}}'.encode()
        )
    return changes
