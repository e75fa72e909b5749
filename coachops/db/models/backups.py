"""Recovery: heartbeats that measure loss, backups made, drills that proved one, keys in escrow.

The catalogue of backups serves figures and a second opinion on manifests; what can be restored is
told by the place itself, since this table may be what was lost.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import (
    Base,
    Identified,
    Instant,
    JsonDocument,
    PrimaryKey,
    one_of,
)

BACKUP_STATES = ("good", "failed", "expired")


class Heartbeat(Base):
    """A sign of time in the data: the newest one that a restore brings back tells what is lost."""

    __tablename__ = "heartbeats"

    id: Mapped[PrimaryKey]
    at: Mapped[Instant] = mapped_column(index=True)


class Backup(Identified, Base):
    """A run of the backup, whatever became of it.

    `name` is its folder at the place; `manifest_sha256` says which manifest is the true one.
    """

    __tablename__ = "backups"
    __table_args__ = (
        one_of("state", *BACKUP_STATES),
        sa.CheckConstraint(
            "state <> 'good' OR manifest_sha256 IS NOT NULL", name="good_has_manifest"
        ),
        sa.Index("ix_backups_state_made_at", "state", "made_at"),
    )

    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    engine: Mapped[str] = mapped_column(sa.String(30))
    kind: Mapped[str] = mapped_column(sa.String(20), default="full")
    state: Mapped[str] = mapped_column(sa.String(20))
    place: Mapped[str] = mapped_column(sa.String(500))
    made_at: Mapped[Instant]
    finished_at: Mapped[dt.datetime | None]
    heartbeat_at: Mapped[dt.datetime | None]
    bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    rows: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    revision: Mapped[str] = mapped_column(sa.String(100), default="")
    manifest_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    recipients: Mapped[JsonDocument]
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    proven_at: Mapped[dt.datetime | None]


class Drill(Identified, Base):
    """A restore into a scratch place, with what it measured; `reasons` says why it failed."""

    __tablename__ = "drills"
    __table_args__ = (sa.Index("ix_drills_at", "at"),)

    at: Mapped[Instant]
    backup_name: Mapped[str | None] = mapped_column(sa.String(40))
    passed: Mapped[bool]
    escrow: Mapped[bool]
    rpo_seconds: Mapped[float | None]
    rto_seconds: Mapped[float | None]
    bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    tables: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    reasons: Mapped[JsonDocument]


class KeyEscrow(Identified, Base):
    """Somebody showed the copy of the backup key that lies elsewhere, and it opened a backup."""

    __tablename__ = "key_escrows"

    fingerprint: Mapped[str] = mapped_column(sa.String(16), index=True)
    confirmed_at: Mapped[Instant]
