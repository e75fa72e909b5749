"""Finding coaches and clients by any reference, and listing what an actor may see.

A REF is an e-mail, an external id or an id, everywhere. What the actor may not see is answered as
not found, so that nobody learns which clients exist.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import Client, Coach, CoachingSession, Engagement, Message, Transcript


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client as lists show them; `sessions` counts, `last_held_on` is the newest session's day."""

    id: uuid.UUID
    external_id: str
    name: str
    email: str | None
    coach_id: uuid.UUID
    coach_name: str
    engagement_title: str
    active: bool
    sessions: int
    last_held_on: dt.date | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as lists show it, with the state of its newest transcript and its message."""

    id: uuid.UUID
    client_id: uuid.UUID
    client_name: str
    coach_id: uuid.UUID
    coach_name: str
    held_on: dt.date
    title: str
    duration_ms: int | None
    transcript_id: uuid.UUID | None
    source_name: str | None
    kind: str | None
    transcript_state: str | None
    role_state: str | None
    error_code: str | None
    message_id: uuid.UUID | None
    message_state: str | None


def find_coach(session: Session, actor: Actor, ref: str) -> Coach:
    """The coach that `ref` names.

    Raises:
        CoachError: COACH-CCH-001 where there is none that the actor may see.
    """
    coach = session.scalars(sa.select(Coach).where(_matches(Coach, ref))).first()
    if coach is None or not actor.may_read(coach.id):
        raise CoachError("COACH-CCH-001", what="coach", ref=ref)
    return coach


def find_client(session: Session, actor: Actor, ref: str) -> Client:
    """The client that `ref` names; an e-mail that several clients share names none of them.

    Raises:
        CoachError: COACH-CCH-001 where there is none that the actor may see.
    """
    query = sa.select(Client).where(_matches(Client, ref))
    if not actor.sees_all:  # others' clients neither answer to a REF nor make it ambiguous
        own = sa.select(Engagement.client_id).where(*_of_actor(actor, Engagement.coach_id))
        query = query.where(Client.id.in_(own))
    clients = session.scalars(query.limit(2)).all()
    if len(clients) == 1:
        return clients[0]
    raise CoachError("COACH-CCH-001", what="client", ref=ref)


def list_clients(database: Database, actor: Actor) -> list[ClientRow]:
    """The clients of the actor (every client for those who see all), the newest session first."""
    today = sa.func.max(CoachingSession.held_on)
    with database.read() as session:
        rows = session.execute(
            sa.select(
                Client,
                Coach.id,
                Coach.name,
                sa.func.max(Engagement.title),
                sa.func.max(sa.case((Engagement.ended_on.is_(None), 1), else_=0)),
                sa.func.count(sa.distinct(CoachingSession.id)),
                today,
            )
            .join(Engagement, Engagement.client_id == Client.id)
            .join(Coach, Coach.id == Engagement.coach_id)
            .outerjoin(CoachingSession, CoachingSession.engagement_id == Engagement.id)
            .where(*_of_actor(actor, Engagement.coach_id))
            .group_by(Client.id, Coach.id, Coach.name)
            .order_by(today.desc().nulls_last(), Client.name, Client.id)
        ).all()
    return [
        ClientRow(
            id=client.id,
            external_id=client.external_id,
            name=client.name,
            email=client.email,
            coach_id=coach_id,
            coach_name=coach_name,
            engagement_title=title or "",
            active=bool(active) and client.left_on is None,
            sessions=sessions,
            last_held_on=last,
        )
        for client, coach_id, coach_name, title, active, sessions, last in rows
    ]


def list_sessions(
    database: Database, actor: Actor, client_id: uuid.UUID | None = None, limit: int = 200
) -> list[SessionRow]:
    """Sessions of the actor's clients, the newest first, at most `limit`."""
    newest = (
        sa.select(Transcript.id)
        .where(Transcript.session_id == CoachingSession.id)
        .order_by(Transcript.created_at.desc(), Transcript.id.desc())
        .limit(1)
        .correlate(CoachingSession)
        .scalar_subquery()
    )
    message = (
        sa.select(Message.id)
        .where(Message.session_id == CoachingSession.id)
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
        .correlate(CoachingSession)
        .scalar_subquery()
    )
    query = (
        sa.select(
            CoachingSession.id,
            CoachingSession.client_id,
            Client.name,
            CoachingSession.coach_id,
            Coach.name,
            CoachingSession.held_on,
            CoachingSession.title,
            CoachingSession.duration_ms,
            Transcript.id,
            Transcript.source_name,
            Transcript.kind,
            Transcript.state,
            Transcript.role_state,
            Transcript.error_code,
            Message.id,
            sa.case(
                (sa.and_(Message.state == "sent", Message.delivery == "bounced"), "returned"),
                else_=Message.state,
            ),
        )
        .join(Client, Client.id == CoachingSession.client_id)
        .join(Coach, Coach.id == CoachingSession.coach_id)
        .outerjoin(Transcript, Transcript.id == newest)
        .outerjoin(Message, Message.id == message)
        .where(*_of_actor(actor, CoachingSession.coach_id))
        .order_by(CoachingSession.held_on.desc(), CoachingSession.id.desc())
        .limit(limit)
    )
    if client_id is not None:
        query = query.where(CoachingSession.client_id == client_id)
    with database.read() as session:
        rows: Sequence[Sequence[Any]] = session.execute(query).all()
    return [SessionRow(*row) for row in rows]


def _matches(table: type[Coach] | type[Client], ref: str) -> sa.ColumnElement[bool]:
    ref = clean_line(ref)
    if "@" in ref:
        return sa.func.lower(table.email) == ref.lower()
    identifier = ids.parse_id(ref)
    if identifier is not None:
        return sa.or_(table.id == identifier, table.external_id == ref)
    return table.external_id == ref


def _of_actor(
    actor: Actor, coach_id: sa.ColumnElement[uuid.UUID] | sa.orm.InstrumentedAttribute[uuid.UUID]
) -> list[sa.ColumnElement[bool]]:
    if actor.sees_all:
        return []
    if actor.coach_id is None:
        return [sa.false()]
    return [coach_id == actor.coach_id]
