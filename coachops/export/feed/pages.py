"""Pages of the feed: what changed after a cursor, as the rows are now.

Each change is a flat object: the row's columns with `_version` (its place) and `_deleted` false; or
only its key with `_deleted` true and `_reason`: `deleted`, or `scope` where it went out of what the
follower sees. Delivery is at least once: a follower applies a change whose `_version` is higher than
the one it has of that row. Read in order it ends equal, whenever it stopped and began again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core.errors import CoachError
from coachops.db import change_feed
from coachops.db.models import ChangeLog
from coachops.export.feed.cursor import Cursor
from coachops.export.feed.rows import existing, lines_by_key
from coachops.export.feed.selecting import Seen

_PIECES = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
"""Where the pieces of an id begin that SQLite keeps as 32 digits, and how long they are."""

_ALONG_THE_INDEX = sa.text("SET LOCAL enable_bitmapscan = off")
"""PostgreSQL collects and sorts all that follows for each page, where it thinks that it is little:
it does so from a load until its statistics are made anew. Rows looked up one by one come at once."""

MOST = 10_000
"""Changes on one page."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the feed.

    Attributes:
        lines: changes as encoded JSON objects, in order, with a line end between two.
        cursor: where the next page begins.
        from_pos, to_pos: the places before and at its end.
        has_more: whether the next page may hold something already.
        head: the newest place of the feed.
        floor: deletions up to here are forgotten.
    """

    lines: bytes
    cursor: str
    from_pos: int
    to_pos: int
    has_more: bool
    head: int
    floor: int

    @property
    def changes(self) -> list[bytes]:
        """The changes one by one."""
        return self.lines.split(b"\n") if self.lines else []

    @property
    def etag(self) -> str:
        """Changes when the page does."""
        digest = hashlib.sha256(self.lines)
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
    if connection.dialect.name != "sqlite":
        connection.execute(_ALONG_THE_INDEX)
    following = sa.and_(ChangeLog.pos > at.pos, seen.changes())
    entries = connection.execute(
        sa.select(ChangeLog.pos, _as_text(connection))
        .where(following, ChangeLog.pos <= head)
        .order_by(ChangeLog.pos)
        .limit(limit)
    ).all()
    full = len(entries) == limit
    to = entries[-1].pos if full else head
    told = pl.DataFrame(
        {"key": [key for _, key in entries], "pos": [pos for pos, _ in entries]},
        schema={"key": pl.String, "pos": pl.Int64},
    )
    newest = told.unique("key", keep="last", maintain_order=True)
    if connection.dialect.name == "sqlite":
        newest = newest.with_columns(_hyphenated(pl.col("key")))
    text = Cursor(at.epoch, to, at.start, at.major, at.selection).encode(secret)
    more = f',"_cursor":"{text}"' if cursor_in_rows else ""
    return Page(
        _lines(connection, seen, newest, sa.and_(following, ChangeLog.pos <= to), more),
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


def _hyphenated(key: pl.Expr) -> pl.Expr:
    pieces = [key.str.slice(start, length) for start, length in _PIECES]
    return pl.concat_str(pieces, separator="-")


def _lines(
    connection: Connection,
    seen: Seen,
    newest: pl.DataFrame,
    entries: sa.ColumnElement[bool],
    more: str,
) -> bytes:
    """What is told of the rows of `newest` (key, pos), in its order: those of some entries."""
    if not newest.height:
        return b""
    keys = sa.select(ChangeLog.entity_id).where(entries)
    rows = lines_by_key(connection, seen.dataset, keys, seen.rows())
    found = newest.join(rows, on="key", how="left", maintain_order="left")
    gone = found.filter(pl.col("line").is_null())["key"].to_list()
    hidden = list[str]() if seen.everything else list(existing(connection, seen.dataset, gone))
    ending = pl.lit(f',"_deleted":false{more}}}')
    removed = (
        pl.when(pl.col("key").is_in(hidden)).then(pl.lit("scope")).otherwise(pl.lit("deleted"))
    )
    version = pl.concat_str([pl.lit(',"_version":'), pl.col("pos").cast(pl.String)])
    name = json.dumps(seen.dataset.key)
    told = pl.concat_str([pl.col("line").str.strip_suffix("}"), version, ending])
    if gone:
        farewell = pl.concat_str(
            [
                pl.lit(f'{{{name}:"'), pl.col("key"), pl.lit('"'), version,
                pl.lit(',"_deleted":true,"_reason":"'), removed, pl.lit(f'"{more}}}'),
            ]
        )  # fmt: skip
        told = pl.when(pl.col("line").is_null()).then(farewell).otherwise(told)
    return str(found.select(told.str.join("\n")).item()).encode()
