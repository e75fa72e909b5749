"""`POST /v1/imports/transcripts`: many transcripts of another system at once, answered line by line."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from coachops.api.access import Caller, Calling, Context, InContext
from coachops.api.conditions import IdempotencyKey
from coachops.api.imports import NDJSON, body_of, encoded
from coachops.api.problem_examples import problems
from coachops.api.uploading import take, uploader
from coachops.coaching.directory import lines
from coachops.coaching.directory.repeating import Key
from coachops.core.errors import CoachError
from coachops.core.text import CleanLine

router = APIRouter(prefix="/v1", tags=["in step"])

MAX_LINE = 15 << 20
"""Characters of a line: a file of 10 MB in base64, and what stands beside it."""

_LINES = (
    '{"name": "2026-11-20.vtt", "client": "CL-201", "coach": "AC-101", "session": "SE-401", '
    '"text": "WEBVTT\\n\\n00:01.000 --> 00:04.000\\n<v Coach>How was your week?"}\n'
    '{"name": "2026-11-27.docx", "client": "CL-201", "coach": "AC-101", "held_on": "2026-11-27", '
    '"base64": "UEsDBBQ="}\n'
)
_RESULTS = (
    '{"line": 1, "name": "2026-11-20.vtt", "status": "created", '
    '"transcript_id": "019a1c52-7b1e-7c55-8a0e-3f0d8f0b6a10", '
    '"session_id": "019a1c52-7b1e-7c55-8a0e-3f0d8f0b6a11", "cues": 1, "unparsed": 0, "queued": true}\n'
    '{"line": 2, "name": "2026-11-27.docx", "status": "rejected", "code": "COACH-TRN-007", '
    '"detail": "2026-11-27.docx cannot be opened as a Word document.", '
    '"next_step": "Save it as .docx again, or export it as text.", '
    '"quarantine_id": "019a1c52-7b1e-7c55-8a0e-3f0d8f0b6a12"}\n'
    '{"done": true, "lines": 2, "created": 1, "unchanged": 0, "rejected": 1}\n'
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A result for each line, in their order, then the sums. Without a last line "
        "with `done` true the answer was cut: send the batch again, what is there is not doubled.",
        "content": {NDJSON: {"schema": {"type": "string"}, "example": _RESULTS}},
    },
    **problems("COACH-INB-008", "COACH-INB-007", "COACH-IDN-016"),
}
_STATUSES = ("created", "unchanged", "rejected")

Ref = Annotated[str, CleanLine(max=200)]


class TranscriptLine(BaseModel):
    """A line: the fields of `POST /v1/transcripts`, and the file as `text` or as `base64`."""

    model_config = ConfigDict(extra="forbid")

    client: Ref
    coach: Ref = ""
    held_on: dt.date | None = None
    session: Ref = ""
    name: Ref = "transcript"
    text: str | None = Field(default=None, repr=False)
    base64: str | None = Field(default=None, repr=False)

    @property
    def data(self) -> bytes:
        """The file.

        Raises:
            CoachError: COACH-INB-009.
        """
        if (self.text is None) == (self.base64 is None):
            raise CoachError(
                "COACH-INB-009", field="text", reason="either text or base64 is needed"
            )
        if self.text is not None:
            try:
                return self.text.encode()
            except UnicodeEncodeError:  # half of a pair of surrogates
                raise CoachError("COACH-INB-009", field="text", reason="it is not text") from None
        try:
            return base64.b64decode(self.base64 or "", validate=True)
        except binascii.Error:
            raise CoachError("COACH-INB-009", field="base64", reason="it is not base64") from None


@router.post(
    "/imports/transcripts",
    responses=_ANSWERS,
    response_class=StreamingResponse,
    summary="Upload many transcripts",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"contentMediaType": NDJSON}, "example": _LINES}},
        }
    },
)
def import_transcripts(
    caller: Caller,
    context: InContext,
    data: Annotated[bytes, Depends(body_of)],
    idempotency_key: IdempotencyKey = None,
) -> StreamingResponse:
    """NDJSON, one transcript a line, as for a single upload: `client`, `coach`, `held_on`, `session`,
    `name`, and the file as `text` or `base64`.

    At most 20 MB. Each line stands alone: one that is refused stops no other. The same file of a
    client again is `unchanged`, with a key or without.
    """
    actor = uploader(caller)
    key = None
    if idempotency_key is not None:
        key = Key.of(str(actor.user_id), "imports/transcripts", idempotency_key, data)
    results = lines.answered(
        ([_one(context, caller, line, key)] for line in lines.split(data)), _STATUSES
    )
    return StreamingResponse(encoded(results), media_type=NDJSON)


def _one(context: Context, caller: Calling, line: lines.Line, key: Key | None) -> dict[str, Any]:
    about: dict[str, Any] = {"line": line.number, "name": None}
    try:
        fields = lines.parsed(line, MAX_LINE)
        if isinstance(fields.get("name"), str):
            about["name"] = fields["name"][:200]
        wanted = lines.validated(TranscriptLine, fields)
        result, queued = take(
            context,
            caller,
            wanted.data,
            wanted.name,
            coach=wanted.coach,
            client=wanted.client,
            held_on=wanted.held_on,
            session=wanted.session,
            key=None if key is None else key.part(line.number),
        )
    except CoachError as error:
        if error.kind not in lines.ABOUT_THE_LINE or error.code == "COACH-INB-007":
            raise
        return {**about, "status": "rejected", **lines.problem(error)}
    return {
        **about,
        "status": "unchanged" if result.duplicate else "created",
        "transcript_id": str(result.transcript_id),
        "session_id": str(result.session_id),
        "cues": result.cues,
        "unparsed": len(result.unparsed),
        "queued": queued,
    }
