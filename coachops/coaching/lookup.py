"""Looking people up by a few letters of their name, as forms do that let somebody choose."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from coachops.core.actor import Actor
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import Client, Coach, Engagement


@dataclass(frozen=True, slots=True)
class Person:
    """A coach or client to choose."""

    id: uuid.UUID
    name: str
    external_id: str


def look_up(
    database: Database, actor: Actor, kind: str, words: str, limit: int = 8
) -> list[Person]:
    """People whose name, e-mail or external id has these letters, of those the actor may see.

    Parameters:
        kind: `coach` or `client`.
    """
    table: type[Coach] | type[Client] = Coach if kind == "coach" else Client
    found = clean_line(words).casefold()
    if not found:
        return []
    like = f"%{found.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
    query = sa.select(table.id, table.name, table.external_id).where(
        sa.or_(
            *(
                sa.func.lower(column).like(like, escape="!")
                for column in (table.name, table.email, table.external_id)
            )
        )
    )
    if not actor.sees_all:
        own = (
            table.id == actor.coach_id
            if kind == "coach"
            else table.id.in_(
                sa.select(Engagement.client_id).where(Engagement.coach_id == actor.coach_id)
            )
        )
        query = query.where(own)
    with database.read() as session:
        rows = session.execute(query.order_by(table.name, table.id).limit(limit))
        return [Person(*row) for row in rows]
