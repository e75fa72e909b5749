"""`/v1`: the suite for programs. Bearer tokens with scopes, or the session of a browser."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel

from coachops.api.access import Caller, InContext
from coachops.api.conditions import IdempotencyKey
from coachops.api.problem_examples import ID, problems, shown
from coachops.api.uploading import take, uploader
from coachops.coaching.directory.repeating import Key
from coachops.coaching.review import load_review
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import CleanLine

router = APIRouter(prefix="/v1", tags=["v1"])


class Me(BaseModel):
    """Who calls. `scopes` is null for a person signed in by browser."""

    model_config = shown(
        {
            "user_id": ID,
            "name": "CRM",
            "role": "service",
            "coach_id": ID,
            "permissions": [],
            "scopes": ["roster:write", "transcripts:write"],
        }
    )

    user_id: uuid.UUID | None
    name: str
    role: str
    coach_id: uuid.UUID | None
    permissions: list[str]
    scopes: list[str] | None


class Unparsed(BaseModel):
    """A line that looked like a cue and could not be imported; it waits in the quarantine."""

    line: int
    reason: str
    quarantine_id: uuid.UUID | None


class Imported(BaseModel):
    """What became of an uploaded file.

    `queued` tells whether its analysis is under way; otherwise the worker finds it by itself later.
    """

    model_config = shown(
        {
            "transcript_id": ID,
            "session_id": ID,
            "source_name": "session.vtt",
            "cues": 212,
            "unparsed": [{"line": 17, "reason": "it ends before it starts", "quarantine_id": ID}],
            "duplicate": False,
            "warnings": [],
            "role_state": "certain",
            "queued": True,
        }
    )

    transcript_id: uuid.UUID
    session_id: uuid.UUID
    source_name: str
    cues: int
    unparsed: list[Unparsed]
    duplicate: bool
    warnings: list[str]
    role_state: str
    queued: bool


class AnalysisState(BaseModel):
    """The newest analysis of a transcript."""

    analysis_id: uuid.UUID
    engine: str
    model: str
    degraded: bool
    stale: bool
    analysed_at: dt.datetime
    dropped: int


class InsightItem(BaseModel):
    """A finding with the positions of the utterances that support it."""

    kind: str
    text: str
    edited: bool
    positions: list[int]


class ActionRow(BaseModel):
    """A commitment, its owner and date."""

    action_id: uuid.UUID
    text: str
    owner: str
    due_date: dt.date | None
    status: str
    positions: list[int]


class TranscriptState(BaseModel):
    """A transcript, where it stands, and what the analysis found."""

    model_config = shown(
        {
            "transcript_id": ID,
            "session_id": ID,
            "coach_id": ID,
            "client_id": ID,
            "held_on": "2026-11-20",
            "source_name": "session.vtt",
            "kind": "recording",
            "state": "analysed",
            "role_state": "certain",
            "error_code": "COACH-AI-002",
            "cues": 212,
            "analysis": {
                "analysis_id": ID,
                "engine": "local",
                "model": "local",
                "degraded": False,
                "stale": False,
                "analysed_at": "2026-11-20T15:04:05Z",
                "dropped": 0,
            },
            "actions": [],
            "insights": [
                {"kind": "theme", "text": "Delegation", "edited": False, "positions": [4, 9]}
            ],
        }
    )

    transcript_id: uuid.UUID
    session_id: uuid.UUID
    coach_id: uuid.UUID
    client_id: uuid.UUID
    held_on: dt.date
    source_name: str
    kind: str
    state: str
    role_state: str
    error_code: str | None
    cues: int
    analysis: AnalysisState | None
    insights: list[InsightItem]
    actions: list[ActionRow]


_SHOWN = ("transcripts", "analyses", "insights", "action_items")
"""Datasets whose rows the state of a transcript holds."""

_FORM = {
    "file": "WEBVTT …", "client": "CL-201", "coach": "AC-101", "held_on": "2026-11-20",
    "session": "SE-401",
}  # fmt: skip

PROBLEMS = problems("COACH-IDN-012", "COACH-IDN-015", "COACH-API-006")
"""What nearly every route may answer; `openapi` adds what all of them may."""


_READ_IT = {
    "read": {
        "operationId": "read_transcript",
        "parameters": {"transcript_id": "$response.body#/transcript_id"},
    }
}
_UPLOADED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Imported,
        "description": "The client has this file already.",
        "links": _READ_IT,
    },
    201: {"links": _READ_IT},
    **problems("COACH-TRN-006", "COACH-CCH-001", "COACH-INB-007", "COACH-IDN-016"),
}


@router.get("/me", responses=PROBLEMS, summary="Read who you are")
def me(caller: Caller) -> Me:
    """Who the token or cookie stands for."""
    actor = caller.actor
    return Me(
        user_id=actor.user_id,
        name=actor.name,
        role=actor.role,
        coach_id=actor.coach_id,
        permissions=sorted(actor.permissions),
        scopes=None if caller.scopes is None else sorted(caller.scopes),
    )


@router.post(
    "/transcripts",
    status_code=201,
    summary="Upload a transcript",
    responses=_UPLOADED,
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"example": _FORM}}}},
)
def upload_transcript(
    *,
    caller: Caller,
    context: InContext,
    response: Response,
    file: Annotated[UploadFile, File(description="WebVTT, SRT, text, DOCX or JSON, up to 10 MB.")],
    client: Annotated[
        str, Form(description="E-mail, external id or id of the client."), CleanLine(max=200)
    ],
    coach: Annotated[
        str, Form(description="The same of the coach; empty: yourself."), CleanLine(max=200)
    ] = "",
    held_on: Annotated[
        dt.date | None, Form(description="Day of the session; empty: as the file tells.")
    ] = None,
    session: Annotated[
        str,
        Form(description="Your id of the session, from PUT /v1/sessions; empty: by the day."),
        CleanLine(max=200),
    ] = "",
    idempotency_key: IdempotencyKey = None,
) -> Imported:
    """Import a transcript and queue its analysis. The same file again answers 200 and changes nothing.

    A file that cannot be taken waits in the quarantine; the problem's `quarantine_id` names it.
    """
    actor = uploader(caller)
    data, name = file.file.read(), file.filename or "transcript"
    result, queued = take(
        context,
        caller,
        data,
        name,
        coach=coach,
        client=client,
        held_on=held_on,
        session=session,
        key=_key(actor, idempotency_key, data, name, client, coach, str(held_on), session),
    )
    if result.duplicate:
        response.status_code = 200
    response.headers["Location"] = f"/v1/transcripts/{result.transcript_id}"
    return Imported(
        transcript_id=result.transcript_id,
        session_id=result.session_id,
        source_name=result.source_name,
        cues=result.cues,
        unparsed=[
            Unparsed(
                line=each.line,
                reason=each.reason,
                quarantine_id=uuid.UUID(each.item) if each.item else None,
            )
            for each in result.unparsed
        ],
        duplicate=result.duplicate,
        warnings=list(result.warnings),
        role_state=result.role_state,
        queued=queued,
    )


def _key(actor: Actor, key: str | None, data: bytes, *form: str) -> Key | None:
    """The key of this request, where it carries one."""
    if key is None:
        return None
    parts = (part.encode("utf-8", "replace") for part in form)
    return Key.of(str(actor.user_id), "transcripts", key, data, *parts)


@router.get(
    "/transcripts/{transcript_id}",
    responses=problems("COACH-CCH-001", "COACH-IDN-016"),
    summary="Read the state of a transcript",
)
def read_transcript(
    transcript_id: uuid.UUID, caller: Caller, context: InContext
) -> TranscriptState:
    """Where a transcript stands, and what its analysis found."""
    actor = caller.require("transcripts:read")
    caller.require_full("transcripts")
    for dataset in _SHOWN:
        if not caller.grant.allows_dataset(dataset):
            raise CoachError("COACH-IDN-016", what=f"the dataset '{dataset}'")
    review = load_review(context.services.database, actor, transcript_id)
    if not caller.grant.covers(review.coach_id, review.client_id):
        raise CoachError("COACH-CCH-001", what="transcript", ref=transcript_id)
    analysis = review.analysis
    return TranscriptState(
        transcript_id=review.transcript_id,
        session_id=review.session_id,
        coach_id=review.coach_id,
        client_id=review.client_id,
        held_on=review.held_on,
        source_name=review.source_name,
        kind=review.kind,
        state=review.state,
        role_state=review.role_state,
        error_code=review.error.code if review.error else None,
        cues=len(review.utterances),
        analysis=None
        if analysis is None
        else AnalysisState(
            analysis_id=analysis.id,
            engine=analysis.engine,
            model=analysis.model,
            degraded=analysis.degraded,
            stale=analysis.stale,
            analysed_at=analysis.analysed_at,
            dropped=analysis.dropped_count,
        ),
        insights=[
            InsightItem(
                kind=each.kind,
                text=each.text,
                edited=each.edited,
                positions=[citation.position for citation in each.citations],
            )
            for each in review.insights
        ],
        actions=[
            ActionRow(
                action_id=each.id,
                text=each.text,
                owner=each.owner,
                due_date=each.due_date,
                status=each.status,
                positions=[citation.position for citation in each.citations],
            )
            for each in review.actions
        ],
    )
