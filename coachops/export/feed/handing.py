"""From a bulk export to the feed without a gap: the cursor of the export's own moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from coachops.db import change_feed
from coachops.export.feed.cursor import Cursor
from coachops.export.feed.selecting import Seen


@dataclass(frozen=True, slots=True)
class Handoff:
    """Where the feed goes on after an export.

    Attributes:
        pos: the place; rows of the export have it as their `_version`.
        cursors: dataset -> cursor.
    """

    pos: int
    cursors: dict[str, str]


def handoff(connection: Connection, secret: bytes, selections: Iterable[Seen]) -> Handoff:
    """The hand-over of the moment that this transaction sees; read it as its first statement.

    What was committed before but has no place yet comes twice, which does no harm.

    Parameters:
        selections: what is exported, one per dataset; its followers must select the same.
    """
    pos, epoch = change_feed.head(connection), change_feed.epoch(connection)
    return Handoff(
        pos,
        {
            seen.dataset.name: Cursor(epoch, pos, pos, seen.major, seen.digest).encode(secret)
            for seen in selections
        },
    )
