"""What must be true before a row is written: roles, parents, days, and what never changes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching.directory.covering import Writer, covers
from coachops.coaching.directory.model import (
    ClientIn,
    CoachIn,
    EngagementIn,
    Inbound,
    KindName,
    Row,
    SessionIn,
)
from coachops.coaching.directory.writing import find, holder_of_email
from coachops.core.errors import CoachError
from coachops.db.models import (
    ActionItem,
    Client,
    Coach,
    CoachingSession,
    Engagement,
    Feedback,
    GoalRating,
    Message,
    Transcript,
)

T = TypeVar("T", bound=Coach | Client | Engagement)


def require_role(writer: Writer, kind: KindName) -> None:
    """Coaches keep their own sessions in step; the roster is for admins and services.

    Raises:
        CoachError: COACH-IDN-003.
    """
    if kind == "session":
        writer.actor.require_role("admin", "service", "coach", what="writing sessions")
    else:
        writer.actor.require_role("admin", "service", what="writing the roster")


def may_create(writer: Writer, kind: KindName, external_id: str) -> None:
    """A token with limits creates no row outside of them.

    Raises:
        CoachError: COACH-IDN-016.
    """
    grant = writer.grant
    if (kind == "coach" and grant.limits_people) or (
        kind == "client" and grant.clients is not None
    ):
        raise writer.outside(kind, external_id)


def parents_of(
    session: Session, writer: Writer, body: Inbound, today: dt.date
) -> dict[str, uuid.UUID]:
    """The ids of the rows that the body names.

    Raises:
        CoachError: COACH-INB-003 where there is none; COACH-IDN-016 or COACH-CCH-001 where the
            caller has limits, whether it is outside of them or not there.
    """
    if isinstance(body, EngagementIn):
        coach = _parent(session, writer, "coach", Coach, body.coach, today)
        client = _parent(session, writer, "client", Client, body.client, today)
        if not writer.grant.covers(coach.id, client.id):
            raise writer.outside("coach", body.coach)
        return {"coach_id": coach.id, "client_id": client.id}
    if isinstance(body, SessionIn):
        engagement = _parent(session, writer, "engagement", Engagement, body.engagement, today)
        if not writer.actor.may_change(engagement.coach_id):
            raise CoachError("COACH-IDN-003", what="changing data of clients")
        return {
            "engagement_id": engagement.id,
            "coach_id": engagement.coach_id,
            "client_id": engagement.client_id,
        }
    return {}


def _parent(
    session: Session, writer: Writer, what: KindName, table: type[T], ref: str, today: dt.date
) -> T:
    row = find(session, table, ref)
    if row is not None and (
        covers(session, writer, row, today) or (isinstance(row, Coach) and _granted(writer, row))
    ):
        return row
    if writer.limited:
        raise writer.outside(what, ref)
    raise CoachError("COACH-INB-003", what=what, ref=ref)


def _granted(writer: Writer, coach: Coach) -> bool:
    """A token limited to clients may name any coach for them."""
    return writer.grant.coaches is None or coach.id in writer.grant.coaches


def require_possible(
    session: Session,
    writer: Writer,
    external_id: str,
    row: Row | None,
    body: Inbound,
    changed: Mapping[str, Any],
    overwrite: bool,
) -> None:
    """Refuse values that contradict what is there.

    Parameters:
        row: None for a new one.
        changed: what differs from it.
        overwrite: a client may share an e-mail with another one on purpose.

    Raises:
        CoachError: COACH-INB-004, COACH-INB-005.
    """
    match body:
        case CoachIn():
            if "email" in changed and holder_of_email(session, changed["email"], external_id):
                raise taken("email", "another coach has it already")
        case ClientIn():
            if changed.get("email") and not overwrite:
                _require_own_email(session, writer, external_id, changed["email"])
        case EngagementIn():
            if row is not None and changed.keys() & {"coach", "client"}:
                field = "client" if "client" in changed else "coach"
                raise taken(field, "an engagement never changes its people: end it, begin another")
            _check_days(session, row, body, changed)
        case SessionIn():
            if row is None or changed.keys() & {"engagement", "held_on"}:
                _check_meeting(session, row, body, changed)
        case _:
            raise TypeError(type(body).__name__)


def taken(field: str, reason: str) -> CoachError:
    """The refusal of a value that belongs to another row, or cannot change."""
    return CoachError("COACH-INB-005", field=field, reason=reason, fields=[field])


def _require_own_email(session: Session, writer: Writer, external_id: str, email: str) -> None:
    """Two clients with one address are often one person twice; a letter may reach the wrong one.

    A source with limits is not told: it would learn of a client whom it may not see.
    """
    if writer.limited:
        return
    query = sa.select(Client.external_id).where(
        sa.func.lower(Client.email) == email.lower(), Client.external_id != external_id
    )
    other = session.scalars(query.limit(1)).first()
    if other is not None:
        raise taken("email", f"client '{other}' has it already; 'overwrite' lets both have it")


def _check_days(
    session: Session, row: Row | None, body: EngagementIn, changed: Mapping[str, Any]
) -> None:
    kept = row if isinstance(row, Engagement) else None
    ended_on = changed.get("ended_on", kept.ended_on if kept else None)
    if ended_on is not None and ended_on < body.started_on:
        raise CoachError(
            "COACH-INB-004",
            field="ended_on",
            reason="it lies before started_on",
            fields=["ended_on"],
        )
    coach = find(session, Coach, body.coach) if kept is None else None
    if coach is not None and coach.left_on is not None and coach.left_on <= body.started_on:
        raise CoachError(
            "COACH-INB-004", field="coach", reason=f"has left on {coach.left_on}", fields=["coach"]
        )


def _check_meeting(
    session: Session, row: Row | None, body: SessionIn, changed: Mapping[str, Any]
) -> None:
    engagement = find(session, Engagement, body.engagement)
    if engagement is None:
        raise CoachError("COACH-INB-003", what="engagement", ref=body.engagement)
    if body.held_on < engagement.started_on or (
        engagement.ended_on is not None and body.held_on >= engagement.ended_on
    ):
        raise CoachError(
            "COACH-INB-004", field="held_on", reason="it lies outside of the engagement",
            fields=["held_on"],
        )  # fmt: skip
    if isinstance(row, CoachingSession) and "engagement" in changed:
        left = left_behind(session, row.id)
        if left is not None:  # it would go to another client, and perhaps to another coach
            raise taken("engagement", f"the session has a {left}")


def left_behind(session: Session, meeting_id: uuid.UUID) -> str | None:
    """What a session left behind, in a word; None where nothing hangs on it."""
    for what, condition in (
        ("transcript", Transcript.session_id == meeting_id),
        (
            "next step",
            sa.or_(ActionItem.session_id == meeting_id, ActionItem.last_session_id == meeting_id),
        ),
        ("letter", Message.session_id == meeting_id),
        ("answer of the client", Feedback.session_id == meeting_id),
        ("rating", GoalRating.session_id == meeting_id),
    ):
        if session.scalar(sa.select(sa.exists().where(condition))):
            return what
    return None
