"""`/v1/exports`: ask for an export, follow it, fetch its files, take it back."""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from coachops.api import problems
from coachops.api.access import Caller, Calling, Context, InContext
from coachops.api.export_examples import (
    LISTED,
    READY,
    RUNNING,
    file_responses,
)
from coachops.api.export_models import (
    ExportFile,
    ExportPage,
    ExportReady,
    ExportState,
    ExportWanted,
)
from coachops.api.problem_examples import problems as refusals
from coachops.api.ranges import is_known, wanted_range
from coachops.api.v1 import PROBLEMS
from coachops.core.errors import CoachError
from coachops.export.issued import Issued, Owner

router = APIRouter(prefix="/v1/exports", tags=["exports"])

ExportId = Annotated[uuid.UUID, Path(description="Id of the export.")]

_NOT_POSSIBLE = (
    "COACH-EXP-001", "COACH-EXP-002", "COACH-EXP-007", "COACH-EXP-008", "COACH-EXP-016",
    "COACH-CCH-001", "COACH-EXP-042", "COACH-EXP-043", "COACH-EXP-044",
    "COACH-EXP-053",
)  # fmt: skip
"""What an export may be refused for."""
_THIS = {"export_id": "$response.body#/export_id"}
_NOT_THERE = ("COACH-EXP-040", "COACH-EXP-044")

MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
    ".sha256": "text/plain; charset=utf-8",
}


@router.post(
    "",
    status_code=202,
    response_model=ExportState,
    responses=PROBLEMS
    | refusals(*_NOT_POSSIBLE)
    | {
        202: {
            "description": "It is queued. With an `Idempotency-Key` that was sent before, the export "
            "of that call (`Idempotency-Replayed`) in the `state` that it has now.",
            "content": {"application/json": {"example": RUNNING}},
            "headers": {
                "Location": {"schema": {"type": "string"}},
                "Idempotency-Replayed": {"schema": {"const": "true"}},
            },
            "links": {
                "read": {"operationId": "read_export", "parameters": _THIS},
                "remove": {"operationId": "remove_export", "parameters": _THIS},
                "manifest": {
                    "operationId": "fetch_file",
                    "parameters": _THIS | {"name": "manifest.json"},
                },
            },
        }
    },
)
def start_export(
    wanted: ExportWanted,
    caller: Caller,
    context: InContext,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Made up by the caller; the same key with the same body is the same export. "
            "One that failed starts again; of one that was cancelled, or whose files are gone, the "
            "key is used up (410).",
        ),
    ] = None,
) -> ExportState:
    """Ask for an export: one moment of the data, as files that prove themselves.

    The export is no wider than the token's grant: what is asked for beyond it is refused, and where
    nothing is asked, the grant's own limits apply. A coach exports the data of their own clients.
    """
    caller.require("exports:run")
    made, new = context.exports.start(
        _owner(caller),
        grant=caller.grant,
        idempotency_key=idempotency_key,
        **wanted.model_dump(),
    )
    response.headers["Location"] = _url(made)
    response.headers["Retry-After"] = str(_pause(made))
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return ExportState(**_state(made))


@router.get(
    "",
    response_model=ExportPage,
    responses=PROBLEMS | {200: {"content": {"application/json": {"example": LISTED}}}},
)
def list_exports(
    caller: Caller,
    context: InContext,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    before: Annotated[
        uuid.UUID | None, Query(description="Id of the last export of the page before.")
    ] = None,
) -> ExportPage:
    """Exports, the newest first: a token's own; an admin in a browser sees everybody's."""
    caller.require("exports:read")
    found = context.exports.page(_owner(caller), before=before, limit=limit + 1)
    following = None
    if len(found) > limit:
        found = found[:limit]
        following = f"/v1/exports?limit={limit}&before={found[-1].id}"
        response.headers["Link"] = f'<{following}>; rel="next"'
    return ExportPage(exports=[ExportState(**_state(each)) for each in found], next=following)


@router.get(
    "/{export_id}",
    response_model=ExportReady,
    responses=PROBLEMS
    | refusals(*_NOT_THERE, "COACH-EXP-047", "COACH-EXP-051", "COACH-EXP-050", "COACH-EXP-006")
    | {
        200: {
            "description": "It is ready.",
            "content": {"application/json": {"example": READY}},
        },
        202: {
            "description": "It is being made; look again after `Retry-After` seconds.",
            "model": ExportState,
            "content": {"application/json": {"example": RUNNING}},
        },
    },
)
def read_export(export_id: ExportId, caller: Caller, context: InContext) -> Response:
    """How far an export is; once it is ready, its manifest and files.

    While it is being made the answer is 202 with `Retry-After`; who looks far more often gets 429. An
    export that failed answers with its problem, one whose files are gone with 410.
    """
    caller.require("exports:read")
    owner = _owner(caller)
    found = context.exports.get(owner, str(export_id))
    if found.open:
        wait = context.polls.wait_for((owner.name, export_id))
        if wait > 0:
            raise CoachError("COACH-EXP-047", retry_after=wait)
        state = ExportState(**_state(found))
        return JSONResponse(
            state.model_dump(mode="json"), 202, headers={"Retry-After": str(_pause(found))}
        )
    if found.error is not None:
        raise CoachError("COACH-EXP-051", ref=found.id, reason=found.error.code)
    entry = found.file("manifest.json")  # refuses what was cancelled or has expired
    manifest = json.loads(b"".join(context.exports.read(found, entry["path"], 0, entry["bytes"])))
    ready = ExportReady(
        **_state(found),
        files=[
            ExportFile(**each, url=f"{_url(found)}/files/{each['path']}") for each in found.files
        ],
        manifest=manifest,
    )
    return JSONResponse(ready.model_dump(mode="json"))


@router.delete(
    "/{export_id}",
    status_code=204,
    response_class=Response,
    responses=PROBLEMS | refusals(*_NOT_THERE),
)
def remove_export(export_id: ExportId, caller: Caller, context: InContext) -> None:
    """Cancel an export that is being made, or delete the files of one that is ready.

    What is written already is removed. The record of the export stays.
    """
    caller.require("exports:run")
    context.exports.remove(_owner(caller), str(export_id))


@router.get(
    "/{export_id}/files/{name:path}",
    response_class=Response,
    responses=PROBLEMS
    | refusals(
        *_NOT_THERE,
        "COACH-EXP-045",
        "COACH-EXP-041",
        "COACH-EXP-046",
        "COACH-EXP-050",
        "COACH-EXP-006",
    )
    | file_responses(),
)
@router.head("/{export_id}/files/{name:path}", include_in_schema=False)
async def fetch_file(
    export_id: ExportId,
    name: Annotated[str, Path(max_length=300, description="Path of the file, as in `files`.")],
    request: Request,
    caller: Caller,
    context: InContext,
) -> Response:
    """A file of an export, whole or (with `Range`) a part of it.

    The ETag is the file's SHA-256, so an interrupted download goes on with `Range` and `If-Range`, and
    is known to be the same file.
    """
    caller.require("exports:read")
    owner = _owner(caller)
    found = await run_in_threadpool(context.exports.get, owner, str(export_id))
    entry = found.file(name)
    size, etag = int(entry["bytes"]), f'"{entry["sha256"]}"'
    headers = _file_headers(found, entry, etag)
    if is_known(request.headers, etag):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted_range(request.headers, size, etag)
    except CoachError as error:
        refused = problems.answer(error, request.scope)
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    start, end = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    await run_in_threadpool(_note, context, owner, found, name)
    pieces = context.exports.read(found, name, start, end)
    first = await run_in_threadpool(
        next, pieces, b""
    )  # what cannot be read is a problem, not a cut
    return StreamingResponse(_joined(first, pieces), status, headers)


def _note(context: Context, owner: Owner, export: Issued, name: str) -> None:
    """Write down who took which file: once for the many ranges of one download."""
    key = (owner.name, export.id, name)
    if not context.fetched.known(key):
        context.exports.registry.downloaded(owner, export.id, name)
        context.fetched.noted(key)


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _file_headers(export: Issued, entry: dict[str, Any], etag: str) -> dict[str, str]:
    path = PurePosixPath(entry["path"])
    digest = base64.b64encode(bytes.fromhex(entry["sha256"])).decode()
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Type": MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        "Content-Disposition": f'attachment; filename="{path.name}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "private, no-cache",
    }
    if export.expires_at is not None:
        headers["Expires"] = export.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return headers


def _owner(caller: Calling) -> Owner:
    return Owner.of(caller.actor, caller.token_id)


def _url(export: Issued) -> str:
    return f"/v1/exports/{export.id}"


def _pause(export: Issued) -> int:
    """Seconds until another look makes sense: half of what is left, within 2 to 30."""
    return max(2, min(30, math.ceil((export.eta_seconds or 0) / 2)))


def _state(export: Issued) -> dict[str, Any]:
    return {
        "export_id": export.id,
        "state": "expired" if export.state == "ready" and export.gone else export.state,
        "requested_by": export.requested_by,
        "made_at": export.made_at,
        "snapshot_at": export.snapshot_at,
        "finished_at": export.finished_at,
        "expires_at": export.expires_at,
        "datasets": list(export.datasets),
        "formats": list(export.formats),
        "privacy": export.privacy,
        "request": export.request.to_dict(),
        "progress": {
            "rows": export.rows,
            "rows_expected": export.rows_expected,
            "bytes": export.bytes,
            "parts": export.parts,
            "parts_done": export.parts_done,
            "eta_seconds": export.eta_seconds,
        },
        "error_code": export.error.code if export.error else None,
        "url": _url(export),
    }
