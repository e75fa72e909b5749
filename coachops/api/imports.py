"""`POST /v1/imports`: many rows of another system at once, answered line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from coachops.api.access import Caller, InContext
from coachops.api.conditions import IdempotencyKey, Overwrite
from coachops.api.inbound import ROSTER, SESSIONS, writer_of
from coachops.api.problem_examples import problems
from coachops.coaching.directory import batch
from coachops.coaching.directory.repeating import Key

router = APIRouter(prefix="/v1", tags=["in step"])

NDJSON = "application/x-ndjson"
_LINES = (
    '{"type": "coach", "external_id": "AC-101", "name": "Ada Reyes", "email": "ada.reyes@example.org"}\n'
    '{"type": "client", "external_id": "CL-201", "name": "Maya Okafor"}\n'
    '{"type": "engagement", "external_id": "EN-301", "coach": "AC-101", "client": "CL-201", '
    '"started_on": "2026-09-01"}\n'
)
_RESULTS = (
    '{"line": 1, "type": "coach", "external_id": "AC-101", "status": "created", '
    '"id": "019a1c52-7b1e-7c55-8a0e-3f0d8f0b6a10", "version": "9f2c4e0b7a5d4c1f8e3a6b2d1c0f9e8d"}\n'
    '{"line": 2, "type": "client", "external_id": "CL-201", "status": "rejected", '
    '"code": "COACH-INB-005", "detail": "email: client \'CL-007\' has it already.", '
    '"next_step": "Correct it in the system that sent it; two records may be one person."}\n'
    '{"done": true, "lines": 2, "created": 1, "updated": 0, "unchanged": 0, "rejected": 1}\n'
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A result for each line, in their order, then the sums. Without a last line "
        "with `done` true the answer was cut: send the batch again with the same key.",
        "content": {NDJSON: {"schema": {"type": "string"}, "example": _RESULTS}},
    },
    **problems("COACH-INB-008", "COACH-INB-007"),
}


async def body_of(request: Request) -> bytes:
    """The body as it came."""
    return await request.body()


@router.post(
    "/imports",
    responses=_ANSWERS,
    response_class=StreamingResponse,
    summary="Create or update many rows",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"contentMediaType": NDJSON}, "example": _LINES}},
        }
    },
)
def import_rows(
    caller: Caller,
    context: InContext,
    data: Annotated[bytes, Depends(body_of)],
    idempotency_key: IdempotencyKey = None,
    overwrite: Overwrite = False,
) -> StreamingResponse:
    """NDJSON, one row a line: `type`, `external_id` and the fields of that type; parents before children.

    At most 10,000 lines and 20 MB. Each line stands alone: one that is refused stops no other.
    """
    caller.require(SESSIONS)
    writer = writer_of(caller, context, ROSTER)
    key = None
    if idempotency_key is not None:
        key = Key.of(writer.source, "imports", idempotency_key, data, str(overwrite).encode())
    results = batch.take(context.services.database, writer, data, key=key, overwrite=overwrite)
    return StreamingResponse(encoded(results), media_type=NDJSON)


def encoded(results: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Results as lines."""
    for result in results:
        yield json.dumps(result, ensure_ascii=False).encode() + b"\n"
