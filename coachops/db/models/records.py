"""What happened: use of the suite (activity) and acts that must be answerable for (audit).

Both hold ids and counts only, never a client's words.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Instant, JsonDocument, PrimaryKey

Sha256 = sa.String(64)


class Activity(Base):
    """A use of the suite, for adoption and operations figures."""

    __tablename__ = "activity"
    __table_args__ = (sa.Index("ix_activity_kind_at", "kind", "at"),)

    id: Mapped[PrimaryKey]
    at: Mapped[Instant]
    kind: Mapped[str] = mapped_column(sa.String(50))
    user_id: Mapped[uuid.UUID | None]
    coach_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("coaches.id"), index=True)
    subject_id: Mapped[uuid.UUID | None]
    duration_ms: Mapped[int | None]


class AuditEvent(Base):
    """An act with consequences: who did what to which row.

    `digest` covers the columns above it and is written with the act; `seq`, `prev` and `hash` put
    the row into the chain a moment later (`coachops.audit.chain`).
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("ix_audit_events_at", "at"),
        sa.Index("ix_audit_events_seq", "seq", unique=True),
    )

    id: Mapped[PrimaryKey]
    at: Mapped[Instant]
    actor_id: Mapped[uuid.UUID | None]
    action: Mapped[str] = mapped_column(sa.String(50))
    subject_type: Mapped[str] = mapped_column(sa.String(50))
    subject_id: Mapped[str] = mapped_column(sa.String(50))
    details: Mapped[JsonDocument]
    digest: Mapped[str] = mapped_column(Sha256)
    seq: Mapped[int | None] = mapped_column(sa.BigInteger())
    prev: Mapped[str | None] = mapped_column(Sha256)
    hash: Mapped[str | None] = mapped_column(Sha256)


class AuditHeadRow(Base):
    """The end of the chain of audit events; the one row that lets one process seal at a time."""

    __tablename__ = "audit_head"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(sa.BigInteger())
    hash: Mapped[str] = mapped_column(Sha256)
