"""Processes that do background work, so that others see whether one is alive."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Instant


class WorkerHeartbeat(Base):
    """A worker by the name of its place (`worker-<n>`), which its successor takes over.

    `first_started_at` is when this place was first taken: schedules owe nothing from before. `host`
    is the machine of the last one, where a silent one is looked for.
    """

    __tablename__ = "worker_heartbeats"

    name: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    first_started_at: Mapped[Instant]
    started_at: Mapped[Instant]
    seen_at: Mapped[Instant]
    stopped: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    host: Mapped[str] = mapped_column(sa.String(255), default="", server_default="")
