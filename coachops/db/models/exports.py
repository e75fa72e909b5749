"""Exports that were asked for: who, what, where it lies, how far it is. Ids and counts only.

The row outlives the files: it answers later which clients' data went out, and to whom.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Identified, Instant, Json, JsonDocument, one_of

EXPORT_STATES = ("queued", "running", "ready", "failed", "cancelled", "expired")
PRIVACY = ("full", "pseudonymous")


class IssuedExport(Identified, Base):
    """An export, from the kick-off on.

    `key` names its job and its folder. `owner` is who may read it: a user, a token or the suite.
    `client_ids` are the clients whose data may be in it; NULL: anybody's. `managed` files are deleted
    by the suite at `expires_at`; others belong to the operator who chose their place.

    `generation` counts the plans: parts of an older one are of another moment and never published.
    `moment` tells whether the data are still those that were planned.
    `token` opens the moment of the plan to workers while the coordinator holds it; `run` counts the
    jobs that worked on it.
    """

    __tablename__ = "issued_exports"
    __table_args__ = (
        one_of("state", *EXPORT_STATES),
        one_of("privacy", *PRIVACY),
        sa.UniqueConstraint("owner", "idempotency_key_hash"),
        sa.Index("ix_issued_exports_state_expires_at", "state", "expires_at"),
        sa.Index("ix_issued_exports_owner_id", "owner", "id"),
    )

    key: Mapped[str] = mapped_column(sa.String(100), unique=True)
    state: Mapped[str] = mapped_column(sa.String(20))
    owner: Mapped[str] = mapped_column(sa.String(80))
    requested_by: Mapped[uuid.UUID | None]
    request: Mapped[JsonDocument]
    client_ids: Mapped[list[str] | None] = mapped_column(Json)
    datasets: Mapped[JsonDocument]
    formats: Mapped[JsonDocument]
    privacy: Mapped[str] = mapped_column(sa.String(20))
    place: Mapped[str] = mapped_column(sa.String(1000))
    managed: Mapped[bool]
    idempotency_key_hash: Mapped[str | None] = mapped_column(sa.String(64))
    request_digest: Mapped[str] = mapped_column(sa.String(64))

    run: Mapped[int] = mapped_column(default=1)
    generation: Mapped[int] = mapped_column(default=0)
    plan: Mapped[dict[str, Any] | None] = mapped_column(Json)
    moment: Mapped[str | None] = mapped_column(sa.String(100))
    token: Mapped[str | None] = mapped_column(sa.String(500))
    rows_expected: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    parts: Mapped[int] = mapped_column(default=0)
    parts_done: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    files: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)

    made_at: Mapped[Instant]
    started_at: Mapped[dt.datetime | None]
    snapshot_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    files_deleted_at: Mapped[dt.datetime | None]
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    error_details: Mapped[dict[str, Any] | None] = mapped_column(Json)


class IssuedExportPart(Base):
    """A part that was written, or the code of why it could not be."""

    __tablename__ = "issued_export_parts"

    export_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("issued_exports.id", ondelete="CASCADE"), primary_key=True
    )
    generation: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    error_details: Mapped[dict[str, Any] | None] = mapped_column(Json)
    written_at: Mapped[Instant]
