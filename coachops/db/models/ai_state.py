"""What all processes know together of the AI services: circuits, retry budgets, spend, kept replies.

Nothing here is exported or shown to clients. `ai_replies` is the one table with personal text: a
reply with names still replaced by placeholders, kept until its analysis is stored.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Instant


class AiCircuit(Base):
    """Whether calls to a service go through. `version` makes every change a compare-and-set.

    `opened_at` is None while calls go through; then they rest for `rest_seconds`, after which one
    of them (`probe_at`) may try.
    """

    __tablename__ = "ai_circuits"
    __table_args__ = (
        sa.CheckConstraint("failures >= 0", name="failures_positive"),
        sa.CheckConstraint("rest_seconds >= 0", name="rest_positive"),
    )

    target: Mapped[str] = mapped_column(sa.String(300), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[dt.datetime | None]
    rest_seconds: Mapped[float] = mapped_column(default=0.0)
    probe_at: Mapped[dt.datetime | None]
    last_code: Mapped[str | None] = mapped_column(sa.String(20))
    version: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[Instant]


class AiBudget(Base):
    """Retries that may still be made to a service: a bucket of tokens, filled by first tries."""

    __tablename__ = "ai_budgets"
    __table_args__ = (sa.CheckConstraint("tokens >= 0", name="tokens_positive"),)

    target: Mapped[str] = mapped_column(sa.String(300), primary_key=True)
    tokens: Mapped[float]
    filled_at: Mapped[Instant]


class AiSpend(Base):
    """Millionths of a US dollar spent on a day of the organisation, calls under way included."""

    __tablename__ = "ai_spend"
    __table_args__ = (
        sa.CheckConstraint("spent_microusd >= 0", name="spent_positive"),
        sa.CheckConstraint("calls >= 0", name="calls_positive"),
    )

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    spent_microusd: Mapped[int] = mapped_column(sa.BigInteger(), default=0)
    calls: Mapped[int] = mapped_column(default=0)


class AiReply(Base):
    """A reply that was paid for, by the digest of what was asked, until its analysis is stored.

    `content` has names replaced as they were when it left; None says that the answer was too long
    and the question is to be put in halves. The rest is what the outbound log says of the call;
    `logged` once it does.
    """

    __tablename__ = "ai_replies"

    transcript_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="CASCADE"), primary_key=True
    )
    key_sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    content: Mapped[str | None] = mapped_column(sa.Text())
    host: Mapped[str] = mapped_column(sa.String(200))
    model: Mapped[str] = mapped_column(sa.String(100))
    utterances: Mapped[int]
    request_bytes: Mapped[int]
    request_sha256: Mapped[str] = mapped_column(sa.String(64))
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cached_tokens: Mapped[int] = mapped_column(default=0)
    logged: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant] = mapped_column(index=True)
