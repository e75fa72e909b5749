"""What could not be accepted: kept with its reason, so that it can be looked at, corrected, replayed.

A row is a whole file that was refused, one line of a transcript that was reported, or one row of a
roster. It holds words of clients. Its bytes go when it is discarded, replayed as it was, or too old
(setting `quarantine_days`); the row itself stays, so that nothing vanishes without a trace.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Changing, JsonDocument, ShortText, not_blank, one_of

QUARANTINE_KINDS = ("transcript", "cue", "roster", "roster_row")
QUARANTINE_STATES = ("waiting", "replayed", "discarded", "expired")
QUARANTINE_SOURCES = ("page", "api", "cli", "program")


class QuarantineItem(Changing, Base):
    """Something that was refused.

    `code` and `details` are the error of the catalogue; `line` counts as in the file. Of a refused
    line `transcript_id` is its transcript and `position` the place kept free for it there; of a
    refused file `transcript_id` is what a replay made of it. `dedupe` is the same for the same thing
    refused again: while it waits there is one row, and `seen` counts.
    """

    __tablename__ = "quarantine"
    __table_args__ = (
        one_of("kind", *QUARANTINE_KINDS),
        one_of("state", *QUARANTINE_STATES),
        one_of("source", *QUARANTINE_SOURCES),
        not_blank("name"),
        sa.CheckConstraint("length(name) <= 200", name="name_at_most"),
        sa.CheckConstraint("line IS NULL OR line >= 1", name="line_from_one"),
        sa.CheckConstraint("size_bytes >= 0", name="size_positive"),
        sa.CheckConstraint("kind <> 'cue' OR transcript_id IS NOT NULL", name="cue_has_transcript"),
        sa.CheckConstraint("state = 'waiting' OR resolved_at IS NOT NULL", name="end_has_time"),
        sa.Index("ix_quarantine_coach_id_state", "coach_id", "state"),
        sa.Index("ix_quarantine_created_at", "created_at"),
        sa.Index(
            "uq_quarantine_waiting_dedupe",
            "dedupe",
            unique=True,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        ),
    )

    kind: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20), default="waiting")
    source: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[ShortText]
    code: Mapped[str] = mapped_column(sa.String(20))
    details: Mapped[JsonDocument]
    line: Mapped[int | None]
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary(), deferred=True)
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    dedupe: Mapped[str] = mapped_column(sa.String(64))
    seen: Mapped[int] = mapped_column(default=1)
    coach_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("coaches.id"))
    client_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    held_on: Mapped[dt.date | None]
    transcript_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int | None]
    brought_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    resolved_at: Mapped[dt.datetime | None]
    resolved_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
