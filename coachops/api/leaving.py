"""`POST /v1/coaches/{external_id}/leave`: another system tells that a coach leaves."""

from __future__ import annotations

import datetime as dt
import uuid

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from coachops.api.access import Caller, InContext
from coachops.api.inbound import ROSTER, ExternalId
from coachops.api.problem_examples import problems, shown
from coachops.coaching.directory.model import Day, Name

router = APIRouter(prefix="/v1", tags=["in step"])


class LeaveIn(BaseModel):
    """When, and who takes over."""

    model_config = ConfigDict(extra="forbid", **shown({"on": "2026-12-31", "to": "AC-102"}))

    on: Day = Field(description="First day without the coach.")
    to: Name = Field(description="External id of the successor.")


class EngagementMoved(BaseModel):
    """External ids of an engagement that ended and the one that follows, and how many sessions moved."""

    ended: str
    begun: str
    sessions: int


class LeaveOut(BaseModel):
    """What followed. `letters` are the unsent ones that an admin has to look at."""

    model_config = shown({
        "coach": "AC-101", "successor": "AC-102", "on": "2026-12-31", "signed_out": False,
        "engagements": [{"ended": "EN-301", "begun": "EN-301~2026-12-31", "sessions": 2}],
        "letters": [],
    })  # fmt: skip

    coach: str
    successor: str
    on: dt.date
    engagements: list[EngagementMoved]
    signed_out: bool
    letters: list[uuid.UUID]


@router.post(
    "/coaches/{external_id}/leave",
    responses=problems("COACH-CCH-001", "COACH-CCH-008", "COACH-IDN-016"),
    summary="Hand a coach's clients over",
)
def coach_leaves(
    external_id: ExternalId, body: LeaveIn, caller: Caller, context: InContext
) -> LeaveOut:
    """Running engagements end and go on with the successor; sessions from that day on move.

    On the day the coach is shut out and unsent letters are held. Safe to repeat.
    """
    from coachops.jobs.leaving import leave  # noqa: PLC0415 479 ms of DBOS that few requests need

    actor = caller.require(ROSTER)
    caller.require_everybody("handing clients over")
    caller.require_full("names and addresses")
    done = leave(context.services.database, actor, external_id, body.to, body.on)
    return LeaveOut(
        coach=done.coach,
        successor=done.successor,
        on=done.on,
        engagements=[
            EngagementMoved(ended=each.ended, begun=each.begun, sessions=each.sessions)
            for each in done.engagements
        ],
        signed_out=done.signed_out,
        letters=list(done.letters),
    )
