"""Writes that were committed, by the id of their operation: a repeated one is not done twice."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Instant


class Operation(Base):
    """A write that is part of the same transaction as this row, so both are there or neither.

    Rows are needed while the write may still be repeated; `coachops.db.operations.forget` removes
    older ones.
    """

    __tablename__ = "operations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[Instant] = mapped_column(index=True)
