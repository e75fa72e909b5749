"""Analyses of transcripts, their insights, the coach's edits over them, and action items."""

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
    Text,
    at_most,
    few,
    not_blank,
    one_of,
)

ANALYSIS_STATUS = ("complete", "degraded", "failed")
INSIGHT_KINDS = ("summary", "theme", "follow_up")
ACTION_OWNERS = ("coach", "client", "unassigned")
MODALITIES = ("commitment", "proposal")
ACTION_STATES = ("open", "done", "dropped")


class Analysis(Identified, Base):
    """One run of an engine over one state of a transcript; the newest that is not failed holds.

    `result` is the checked engine result as JSON, `counts` the counts with their numerators.
    `dropped` says how many findings were dropped for which reason, `input_sha256` is the digest of
    exactly what the engine read: equal input and engine version give the same result.
    `retry_at` is when a degraded one is worth another try: the service asked to wait, or rests.
    `job_id` is the background job that asked: its step, repeated after a crash, finds its own work.
    """

    __tablename__ = "analyses"
    __table_args__ = (
        one_of("status", *ANALYSIS_STATUS),
        sa.CheckConstraint("cost_microusd >= 0", name="cost_positive"),
        sa.Index("ix_analyses_transcript_id_created_at", "transcript_id", "created_at"),
        sa.Index("ix_analyses_status_retry_at", "status", "retry_at"),
    )

    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE")
    )
    status: Mapped[str] = mapped_column(sa.String(20))
    engine: Mapped[str] = mapped_column(sa.String(20))
    model: Mapped[str] = mapped_column(sa.String(100))
    input_sha256: Mapped[str] = mapped_column(sa.String(64))
    result: Mapped[JsonDocument | None]
    counts: Mapped[JsonDocument | None]
    dropped: Mapped[JsonDocument]
    dropped_count: Mapped[int] = mapped_column(default=0)
    cost_microusd: Mapped[int] = mapped_column(sa.BigInteger(), default=0)
    duration_ms: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    retry_at: Mapped[dt.datetime | None]
    job_id: Mapped[str | None] = mapped_column(sa.String(200))
    created_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))


class OutboundRecord(Identified, Base):
    """What left the machine for an analysis: to whom, how much, which digest; never the words."""

    __tablename__ = "outbound_records"

    analysis_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("analyses.id", ondelete="CASCADE"), index=True
    )
    host: Mapped[str] = mapped_column(sa.String(200))
    model: Mapped[str] = mapped_column(sa.String(100))
    utterances: Mapped[int]
    request_bytes: Mapped[int]
    request_sha256: Mapped[str] = mapped_column(sa.String(64))
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]


class Insight(Identified, Base):
    """A cited sentence of an analysis. `anchor` finds it again in a later analysis.

    `held_back`: words it cites were cut or redacted since, so nobody may read it.
    """

    __tablename__ = "insights"
    __table_args__ = (
        one_of("kind", *INSIGHT_KINDS),
        not_blank("text"),
        few("ix_insights_held_back", "id", flag="held_back"),
    )

    analysis_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("analyses.id", ondelete="CASCADE"), index=True
    )
    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(sa.String(20))
    ordinal: Mapped[int]
    anchor: Mapped[str] = mapped_column(sa.String(64))
    text: Mapped[Text]
    citations: Mapped[JsonDocument]
    held_back: Mapped[bool] = mapped_column(default=False, server_default=sa.false())


class InsightEdit(Changing, Base):
    """The coach's wording over an insight (`text`), or its removal (None); survives re-analysis."""

    __tablename__ = "insight_edits"
    __table_args__ = (
        one_of("kind", *INSIGHT_KINDS),
        not_blank("text"),
        at_most("text", 4000),
        sa.UniqueConstraint("transcript_id", "kind", "anchor"),
    )

    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(sa.String(20))
    anchor: Mapped[str] = mapped_column(sa.String(64))
    text: Mapped[str | None] = mapped_column(sa.Text())
    created_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))


class ActionItem(Changing, Base):
    """A next step. One row for its whole life: later sessions that mention it move `last_*`.

    `engine_text` is what the engine wrote; `text` what holds, perhaps in the coach's words.
    `held_back`: words it was found in were cut or redacted since; only the coach's own may be read.
    """

    __tablename__ = "action_items"
    __table_args__ = (
        one_of("owner", *ACTION_OWNERS),
        one_of("modality", *MODALITIES),
        one_of("status", *ACTION_STATES),
        sa.CheckConstraint("NOT edited OR length(text) <= 4000", name="edited_text_at_most"),
        not_blank("text"),
        sa.UniqueConstraint("transcript_id", "anchor"),
        sa.Index("ix_action_items_client_id_status", "client_id", "status"),
        few("ix_action_items_held_back", "id", flag="held_back"),
    )

    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"))
    coach_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("coaches.id"))
    session_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    transcript_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE")
    )
    analysis_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("analyses.id", ondelete="SET NULL"), index=True
    )
    anchor: Mapped[str] = mapped_column(sa.String(64))
    text: Mapped[Text]
    engine_text: Mapped[str | None] = mapped_column(sa.Text())
    owner: Mapped[str] = mapped_column(sa.String(20))
    modality: Mapped[str] = mapped_column(sa.String(20))
    due_date: Mapped[dt.date | None]
    due_phrase: Mapped[str | None] = mapped_column(sa.String(200))
    status: Mapped[str] = mapped_column(sa.String(20), default="open")
    edited: Mapped[bool] = mapped_column(default=False)
    citations: Mapped[JsonDocument]
    held_back: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    last_session_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("sessions.id"))
    done_on: Mapped[dt.date | None]
