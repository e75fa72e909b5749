"""The change feed: which rows changed, in an order that followers can trust. Keys only, never words.

Triggers write here (`coachops.db.capture`). On SQLite, where one writes at a time, they write into
`change_log` itself. On PostgreSQL they write into `change_inbox`, and the sequencer moves what was
committed into `change_log`: so a late commit gets a later place and is never passed over.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, JsonDocument, one_of

BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Change:
    """A row that changed. `*_old` is set where the row left a coach or client, or was deleted."""

    entity: Mapped[str] = mapped_column(sa.String(20))
    entity_id: Mapped[uuid.UUID]
    op: Mapped[str] = mapped_column(sa.String(1))
    coach_old: Mapped[uuid.UUID | None]
    coach_new: Mapped[uuid.UUID | None]
    client_old: Mapped[uuid.UUID | None]
    client_new: Mapped[uuid.UUID | None]
    at: Mapped[dt.datetime]


class ChangeLog(Change, Base):
    """The feed. `pos` is the place of a change; it only ever rises."""

    __tablename__ = "change_log"
    __table_args__ = (
        one_of("op", "U", "D"),
        sa.Index("ix_change_log_entity_pos", "entity", "pos"),
        {"sqlite_autoincrement": True},
    )

    pos: Mapped[int] = mapped_column(BigKey, primary_key=True)


class ChangeInbox(Change, Base):
    """Changes on PostgreSQL that have no place in the feed yet."""

    __tablename__ = "change_inbox"

    seq: Mapped[int] = mapped_column(BigKey, sa.Identity(), primary_key=True)


class FeedMeta(Base):
    """What the feed knows of itself; one row.

    `epoch` and `generation` name this history: cursors of another one are refused. `head_pos` is the
    newest place given (PostgreSQL). Deletions up to `floor_pos` are forgotten. `versions` are the
    schemas that followers have been told of, by dataset. Engagements that end by `day` run no more
    (`coachops.db.coached`).
    """

    __tablename__ = "feed_meta"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[uuid.UUID]
    generation: Mapped[int]
    head_pos: Mapped[int] = mapped_column(sa.BigInteger())
    floor_pos: Mapped[int] = mapped_column(sa.BigInteger())
    versions: Mapped[JsonDocument]
    day: Mapped[dt.date] = mapped_column(server_default="1970-01-01")
