"""What other systems last wrote, and the answers to requests that may be repeated."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Instant, JsonDocument, one_of

INBOUND_KINDS = ("coach", "client", "engagement", "session")


class InboundRow(Base):
    """What a source last wrote into a row: keyed digests of its values, never the values.

    A value that has another digest now was changed here since, by a person or another source.
    `version` is the tag of the row after that write.
    """

    __tablename__ = "inbound_rows"
    __table_args__ = (one_of("kind", *INBOUND_KINDS),)

    row_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    digests: Mapped[JsonDocument]
    version: Mapped[str] = mapped_column(sa.String(64))
    written_at: Mapped[Instant]


class KeptReply(Base):
    """The answer to a request with an Idempotency-Key: ids, states and codes, as long as its operation.

    `fingerprint` tells the same request from another one under the same key.
    """

    __tablename__ = "kept_replies"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[Instant] = mapped_column(index=True)
    reply: Mapped[JsonDocument]
