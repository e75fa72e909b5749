"""`/v1/{coaches,clients,engagements,sessions}/{external_id}`: other systems keep coachops in step."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from coachops.api.access import Caller, InContext
from coachops.api.conditions import (
    IfMatch,
    IfNew,
    IfNoneMatch,
    Overwrite,
    condition_of,
    is_known,
    tag,
)
from coachops.api.problem_examples import ID, problems, shown
from coachops.coaching.directory import inbound
from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.model import (
    ClientIn,
    CoachIn,
    EngagementIn,
    Inbound,
    KindName,
    Name,
    SessionIn,
)
from coachops.coaching.directory.reading import Seen
from coachops.db import erasures

router = APIRouter(prefix="/v1", tags=["in step"])

ROSTER = "roster:write"
SESSIONS = "sessions:write"
SCOPE: Mapping[KindName, str] = {
    "coach": ROSTER,
    "client": ROSTER,
    "engagement": ROSTER,
    "session": SESSIONS,
}

ExternalId = Annotated[
    Name,
    Path(description="The id that the other system uses, without a slash.", examples=["CL-201"]),
]
_VERSION = "9f2c4e0b7a5d4c1f8e3a6b2d1c0f9e8d"


class RowOut(BaseModel):
    """What every row has. `status` is what a write did; null in an answer to a read."""

    id: uuid.UUID
    external_id: str
    version: str = Field(description="Tag of the row, also the ETag: another one, another content.")
    status: Literal["created", "updated", "unchanged"] | None = None


class CoachOut(RowOut):
    """A coach. `left_on` is the first day without them."""

    model_config = shown({
        "id": ID, "external_id": "AC-101", "version": _VERSION, "status": "created",
        "name": "Ada Reyes", "email": "ada.reyes@example.org", "left_on": None,
    })  # fmt: skip

    name: str
    email: str
    left_on: dt.date | None = None


class ClientOut(RowOut):
    """A client."""

    model_config = shown({
        "id": ID, "external_id": "CL-201", "version": _VERSION, "status": "updated",
        "name": "Maya Okafor", "email": "maya@example.org", "left_on": None,
    })  # fmt: skip

    name: str
    email: str | None = None
    left_on: dt.date | None = None


class EngagementOut(RowOut):
    """An engagement, with the external ids of its people."""

    model_config = shown({
        "id": ID, "external_id": "EN-301", "version": _VERSION, "status": "unchanged",
        "coach": "AC-101", "client": "CL-201", "title": "Leading a team",
        "started_on": "2026-09-01", "ended_on": None,
    })  # fmt: skip

    coach: str
    client: str
    title: str
    started_on: dt.date
    ended_on: dt.date | None = None


class SessionOut(RowOut):
    """A session, with the external ids of its engagement and people."""

    model_config = shown({
        "id": ID, "external_id": "SE-401", "version": _VERSION, "status": "created",
        "engagement": "EN-301", "coach": "AC-101", "client": "CL-201",
        "held_on": "2026-12-07", "title": "Delegation", "duration_ms": None,
    })  # fmt: skip

    engagement: str
    coach: str
    client: str
    held_on: dt.date
    title: str
    duration_ms: int | None = None


Out = TypeVar("Out", bound=RowOut)

_READ: dict[int | str, dict[str, Any]] = {
    304: {"description": "You have this version already."},
    **problems("COACH-CCH-001"),
}
_CODES = ("COACH-INB-001", "COACH-INB-005", "COACH-INB-002", "COACH-IDN-016")


def _written(name: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    """Answers of a write, with the way from it to the row."""
    links = {
        "read": {
            "operationId": f"read_{name}",
            "parameters": {"external_id": "$request.path.external_id"},
        }
    }
    return {
        200: {"description": "Updated, or as it was already.", "links": links},
        201: {
            "description": "Created.",
            "model": _OUTS[name],
            "links": links,
        },
        **problems(*_CODES, *codes),
    }


_OUTS: dict[str, type[RowOut]] = {
    "coach": CoachOut,
    "client": ClientOut,
    "engagement": EngagementOut,
    "session": SessionOut,
}


def writer_of(caller: Caller, context: InContext, scope: str) -> Writer:
    """Who writes, with their limits.

    Raises:
        CoachError: COACH-IDN-015, COACH-IDN-016 for a token that may see pseudonyms only.
    """
    actor = caller.require(scope)
    caller.require_full("names and addresses")
    key = erasures.key_of(context.services.database)
    return Writer(actor, caller.grant, context.services.secret("inbound"), key)


@router.put(
    "/coaches/{external_id}", responses=_written("coach"), summary="Create or update a coach"
)
def write_coach(
    external_id: ExternalId,
    body: CoachIn,
    caller: Caller,
    context: InContext,
    response: Response,
    if_match: IfMatch = None,
    if_new: IfNew = None,
    overwrite: Overwrite = False,
) -> CoachOut:
    """Fields that are left out stay as they are; the same again changes nothing.

    A field that was changed here since your last write is a conflict (409) that names it.
    """
    condition = condition_of(if_match, if_new, overwrite)
    return _put(external_id, body, caller, context, response, condition, CoachOut)


@router.put(
    "/clients/{external_id}", responses=_written("client"), summary="Create or update a client"
)
def write_client(
    external_id: ExternalId,
    body: ClientIn,
    caller: Caller,
    context: InContext,
    response: Response,
    if_match: IfMatch = None,
    if_new: IfNew = None,
    overwrite: Overwrite = False,
) -> ClientOut:
    """As for coaches. An e-mail that another client has is a conflict, unless `overwrite` says that both share it."""
    condition = condition_of(if_match, if_new, overwrite)
    return _put(external_id, body, caller, context, response, condition, ClientOut)


@router.put(
    "/engagements/{external_id}",
    responses=_written("engagement", "COACH-INB-003"),
    summary="Create or update an engagement",
)
def write_engagement(
    external_id: ExternalId,
    body: EngagementIn,
    caller: Caller,
    context: InContext,
    response: Response,
    if_match: IfMatch = None,
    if_new: IfNew = None,
    overwrite: Overwrite = False,
) -> EngagementOut:
    """As for coaches. Coach and client must be there, and never change: end it, and begin another."""
    condition = condition_of(if_match, if_new, overwrite)
    return _put(external_id, body, caller, context, response, condition, EngagementOut)


@router.put(
    "/sessions/{external_id}",
    responses=_written("session", "COACH-INB-003"),
    summary="Create or update a session",
)
def write_session(
    external_id: ExternalId,
    body: SessionIn,
    caller: Caller,
    context: InContext,
    response: Response,
    if_match: IfMatch = None,
    if_new: IfNew = None,
    overwrite: Overwrite = False,
) -> SessionOut:
    """As for coaches. It may lie in the future, within its engagement."""
    condition = condition_of(if_match, if_new, overwrite)
    return _put(external_id, body, caller, context, response, condition, SessionOut)


@router.delete(
    "/sessions/{external_id}",
    status_code=204,
    responses=problems("COACH-CCH-001", "COACH-INB-006", "COACH-INB-002"),
    summary="Cancel a session",
)
def cancel_session(
    external_id: ExternalId,
    caller: Caller,
    context: InContext,
    if_match: IfMatch = None,
    overwrite: Overwrite = False,
) -> None:
    """Only a session that left nothing behind: no transcript, letter, answer or rating."""
    writer = writer_of(caller, context, SESSIONS)
    condition = condition_of(if_match, None, overwrite)
    inbound.cancel_session(context.services.database, writer, external_id, condition)


@router.get(
    "/coaches/{external_id}", response_model=CoachOut, responses=_READ, summary="Read a coach"
)
def read_coach(
    external_id: ExternalId,
    caller: Caller,
    context: InContext,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """The row and its version, as the ETag too."""
    return _get("coach", external_id, caller, context, response, if_none_match, CoachOut)


@router.get(
    "/clients/{external_id}", response_model=ClientOut, responses=_READ, summary="Read a client"
)
def read_client(
    external_id: ExternalId,
    caller: Caller,
    context: InContext,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """The row and its version, as the ETag too."""
    return _get("client", external_id, caller, context, response, if_none_match, ClientOut)


@router.get(
    "/engagements/{external_id}",
    response_model=EngagementOut,
    responses=_READ,
    summary="Read an engagement",
)
def read_engagement(
    external_id: ExternalId,
    caller: Caller,
    context: InContext,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """The row and its version, as the ETag too."""
    return _get("engagement", external_id, caller, context, response, if_none_match, EngagementOut)


@router.get(
    "/sessions/{external_id}", response_model=SessionOut, responses=_READ, summary="Read a session"
)
def read_session(
    external_id: ExternalId,
    caller: Caller,
    context: InContext,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """The row and its version, as the ETag too."""
    return _get("session", external_id, caller, context, response, if_none_match, SessionOut)


def _put(
    external_id: str,
    body: Inbound,
    caller: Caller,
    context: InContext,
    response: Response,
    condition: inbound.Condition,
    out: type[Out],
) -> Out:
    writer = writer_of(caller, context, SCOPE[body.kind])
    done = inbound.put(context.services.database, writer, external_id, body, condition)
    if done.status == "created":
        response.status_code = 201
    tag(response, done.row.version)
    return _out(done.row, out, done.status)


def _get(
    kind: KindName,
    external_id: str,
    caller: Caller,
    context: InContext,
    response: Response,
    if_none_match: str | None,
    out: type[RowOut],
) -> RowOut | Response:
    writer = writer_of(caller, context, SCOPE[kind])
    row = inbound.get(context.services.database, writer, kind, external_id)
    if is_known(if_none_match, row.version):
        return Response(status_code=304, headers={"ETag": f'"{row.version}"'})
    tag(response, row.version)
    return _out(row, out, None)


def _out(row: Seen, out: type[Out], status: inbound.Status | None) -> Out:
    return out(
        id=row.id,
        external_id=row.external_id,
        version=row.version,
        status=status,
        **row.values,
        **row.more,
    )
