"""Coaching sessions, their transcripts and utterances, and the corrections made to them.

The file as uploaded stays in `transcripts.original`. Utterances hold what readers may read: after
a cut, a redaction or a corrected speaker. What stood there before is kept beside it, and every
correction is a row of `transcript_edits`, so that it can be undone.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import (
    Base,
    Changing,
    Identified,
    JsonDocument,
    ShortText,
    Text,
    at_most,
    few,
    not_blank,
    one_of,
)

SPEAKERS = ("coach", "client", "other")
BEHAVIOURS = ("question", "reflection", "input", "other")
TRANSCRIPT_KINDS = ("recording", "notes")
ROLE_STATES = ("certain", "inferred", "unclear", "confirmed")
TRANSCRIPT_STATES = (
    "imported",
    "waiting_roles",
    "waiting_consent",
    "analysing",
    "analysed",
    "failed",
)
EDIT_KINDS = ("swap_roles", "confirm_roles", "speaker", "behaviour", "cut", "redact")


class CoachingSession(Changing, Base):
    """One meeting of a coach and a client, on a day of the organisation's calendar."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.CheckConstraint("duration_ms IS NULL OR duration_ms >= 0", name="duration_positive"),
        at_most("title", 200),
        sa.Index("ix_sessions_coach_id_held_on", "coach_id", "held_on"),
        sa.Index("ix_sessions_client_id_held_on", "client_id", "held_on"),
        sa.Index("ix_sessions_held_on", "held_on"),
    )

    external_id: Mapped[str | None] = mapped_column(sa.String(200), unique=True)
    engagement_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("engagements.id"), index=True)
    coach_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("coaches.id"))
    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"))
    held_on: Mapped[dt.date]
    title: Mapped[ShortText] = mapped_column(default="")
    duration_ms: Mapped[int | None] = mapped_column(sa.BigInteger())


class Transcript(Changing, Base):
    """The record of a session: an uploaded file, or notes the coach typed."""

    __tablename__ = "transcripts"
    __table_args__ = (
        sa.UniqueConstraint("client_id", "sha256"),
        one_of("kind", *TRANSCRIPT_KINDS),
        one_of("role_state", *ROLE_STATES),
        one_of("state", *TRANSCRIPT_STATES),
        not_blank("source_name"),
        at_most("source_name", 200),
        sa.CheckConstraint("size_bytes > 0", name="size_positive"),
        sa.CheckConstraint("cue_count >= 0", name="cue_count_positive"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"))
    kind: Mapped[str] = mapped_column(sa.String(20), default="recording")
    source_name: Mapped[ShortText]
    format: Mapped[str] = mapped_column(sa.String(20))
    encoding: Mapped[str] = mapped_column(sa.String(20))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size_bytes: Mapped[int]
    original: Mapped[bytes] = mapped_column(sa.LargeBinary(), deferred=True)
    cue_count: Mapped[int]
    unparsed: Mapped[JsonDocument]
    role_state: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20), default="imported", index=True)
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    imported_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))


class Utterance(Base):
    """One cue. `speaker`, `text` and `behaviour` are what holds now; `original_*` what stood first.

    `position` counts from 1 in file order. `behaviour` is set by the analysis, for coaches only.
    """

    __tablename__ = "utterances"
    __table_args__ = (
        sa.UniqueConstraint("transcript_id", "position"),
        one_of("speaker", *SPEAKERS),
        one_of("behaviour", *BEHAVIOURS),
        sa.CheckConstraint("position >= 1", name="position_from_one"),
        not_blank("text"),
        at_most("speaker_label", 200),
        sa.CheckConstraint(
            "start_ms IS NULL OR end_ms IS NULL OR end_ms >= start_ms", name="ends_after_start"
        ),
        few("ix_utterances_cut", "transcript_id", "position", flag="is_cut"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE")
    )
    position: Mapped[int]
    line: Mapped[int | None]
    speaker_label: Mapped[str | None] = mapped_column(sa.String(200))
    speaker: Mapped[str] = mapped_column(sa.String(10))
    original_speaker: Mapped[str | None] = mapped_column(sa.String(10))
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    text: Mapped[Text]
    original_text: Mapped[str | None] = mapped_column(sa.Text())
    is_cut: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    behaviour: Mapped[str | None] = mapped_column(sa.String(12))


class TranscriptEdit(Identified, Base):
    """A correction by a person; undone ones stay with the time they were undone."""

    __tablename__ = "transcript_edits"
    __table_args__ = (one_of("kind", *EDIT_KINDS),)

    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(sa.String(20))
    from_position: Mapped[int | None]
    to_position: Mapped[int | None]
    from_char: Mapped[int | None]
    to_char: Mapped[int | None]
    value: Mapped[str | None] = mapped_column(sa.String(20))
    created_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    undone_at: Mapped[dt.datetime | None]
