"""`/v1/mail-events`: a mail service tells what became of letters, by its own webhook or a program."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from coachops.api.access import Caller, InContext
from coachops.api.problem_examples import shown
from coachops.api.v1 import PROBLEMS
from coachops.coaching import messages

router = APIRouter(prefix="/v1", tags=["v1"])

SCOPE = "mail-events:write"
_LIMIT = 100


def _in_words(value: object) -> object:
    """Only words: a number would be taken for seconds."""
    if isinstance(value, str):
        return value
    raise ValueError("write an instant with its zone, such as 2026-11-20T15:04:05Z")


class MailEventIn(BaseModel):
    """One event of one letter.

    `id` is the sender's own id of the event: the same one again changes nothing. `message_id` is the
    letter's Message-ID, or its header X-Coachops-Letter where a mail service gave it another
    Message-ID. `status` is an enhanced status code, such as 5.1.1.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal["delivered", "delayed", "bounced", "complained"]
    message_id: Annotated[str, Field(min_length=1, max_length=400)]
    status: Annotated[str, Field(pattern=r"^([245]\.\d{1,3}\.\d{1,3})?$")] = ""
    at: Annotated[AwareDatetime, BeforeValidator(_in_words)] | None = None


class MailEventsIn(BaseModel):
    """Events, in any order."""

    model_config = shown(
        {
            "events": [
                {
                    "id": "evt-1",
                    "kind": "bounced",
                    "status": "5.1.1",
                    "message_id": "<019a1c52.1@example.org>",
                }
            ]
        }
    )

    events: Annotated[list[MailEventIn], Field(min_length=1, max_length=_LIMIT)]


class MailEventsTaken(BaseModel):
    """How many were recorded, known already, or about no letter of ours."""

    model_config = shown({"recorded": 1, "duplicate": 0, "unknown": 0})

    recorded: int
    duplicate: int
    unknown: int


@router.post("/mail-events", responses=PROBLEMS, summary="Report what became of letters")
def take_mail_events(events: MailEventsIn, caller: Caller, context: InContext) -> MailEventsTaken:
    """Take in what became of letters: delivered, delayed, bounced, complained. Each event counts once."""
    actor = caller.require(SCOPE)
    actor.require_role("admin", "service", what="reports about letters")
    caller.require_everybody("reports about letters")
    services = context.services
    reports = [
        messages.Reported.by_service(each.id, each.kind, each.message_id, each.status, each.at)
        for each in events.events
    ]
    taken = messages.record_reports(services.database, reports, services.secret("feedback"))
    return MailEventsTaken(
        recorded=taken.count("recorded"),
        duplicate=taken.count("duplicate"),
        unknown=taken.count("unknown"),
    )
