"""Inserting a row that another process may be inserting at this moment: one of them wins."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coachops.db.models.base import Base


def insert_once(
    session: Session,
    model: type[Base],
    unique: list[str],
    *,
    where: sa.ColumnElement[bool] | None = None,
    **values: Any,
) -> bool:
    """Insert a row unless one with the same `unique` columns exists.

    Parameters:
        where: the condition of a partial unique index.

    Returns:
        whether this call inserted it.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(model)
        .values(**values)
        .on_conflict_do_nothing(index_elements=unique, index_where=where)
        .returning(sa.literal(1))
    )
    return session.execute(statement).first() is not None
