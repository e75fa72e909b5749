"""`/v1/changes` and `/v1/digest`: the change feed for programs that keep a copy in step."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from coachops import audit
from coachops.api.access import Caller, Calling, Context, InContext
from coachops.api.negotiation import prefers
from coachops.api.problem_examples import one_of, problems, shown
from coachops.api.v1 import PROBLEMS
from coachops.core import clock
from coachops.core.errors import CoachError, Kind
from coachops.db import change_feed
from coachops.export.datasets import DATASETS
from coachops.export.feed import MOST, Cursor, Page, Seen, digest, page, resume, seen_by
from coachops.export.naming import Naming
from coachops.export.selection import make_filters

router = APIRouter(prefix="/v1", tags=["change feed"])

NDJSON = "application/x-ndjson"
LONGEST_WAIT = 30
"""Seconds that a request may wait for a change."""
LOOK_EVERY = 0.5
"""Seconds between two looks while one waits."""

_EXAMPLE: dict[str, Any] = {
    "dataset": "sessions",
    "schema": "https://coachops.example/schemas/sessions/1.0.0",
    "changes": [
        {
            "session_id": "0199d3c4-1111-7000-8000-000000000001",
            "title": "Delegation",
            "_version": 4711,
            "_deleted": False,
        },
        {
            "session_id": "0199d3c4-1111-7000-8000-000000000002",
            "_version": 4712,
            "_deleted": True,
            "_reason": "scope",
        },
    ],
    "cursor": "0000000000001268.eyJ2Ijox….Yk3n…",
    "from": 4700,
    "to": 4712,
    "has_more": False,
    "head": 4712,
    "floor": 0,
    "retention_days": 400,
}


class DigestBucket(BaseModel):
    """Some of the rows: those whose id's SHA-256 begins with the byte `bucket`."""

    bucket: int
    count: int
    sum: str
    changed: bool


class Digest(BaseModel):
    """The digests of a dataset as it is now, and the cursor of that moment."""

    model_config = shown(
        {
            "dataset": "sessions",
            "schema_version": "1.0.0",
            "pos": 4711,
            "rows": 1,
            "cursor": "eyJ2IjoxfQ.c2ln",
            "buckets": [{"bucket": 7, "count": 1, "sum": "00" * 32, "changed": False}],
        }
    )

    dataset: str
    schema_version: str
    pos: int
    rows: int
    cursor: str
    buckets: list[DigestBucket]


Name = Annotated[
    str, one_of(*DATASETS), Query(description="Name of the dataset, such as `sessions`.")
]
Position = Annotated[
    str | None, Query(max_length=2000, description="As the last answer gave it; empty: all rows.")
]
Coaches = Annotated[
    list[str],
    Query(max_length=100, description="Only rows of this coach (REF); repeat for several."),
]
Clients = Annotated[
    list[str],
    Query(max_length=100, description="Only rows of this client (REF); repeat for several."),
]

_REFUSED = problems(
    "COACH-EXP-001", "COACH-FED-001", "COACH-FED-002", "COACH-FED-003", "COACH-FED-004",
    "COACH-FED-005", "COACH-FED-006", "COACH-CCH-001",
)  # fmt: skip

_HEADERS = {
    "Coachops-Cursor": ("cursor", "string"),
    "Coachops-Schema": ("schema", "string"),
    "Coachops-From": ("from", "integer"),
    "Coachops-To": ("to", "integer"),
    "Coachops-Head": ("head", "integer"),
    "Coachops-Floor": ("floor", "integer"),
}
"""What a page says of itself, for who reads lines; the name of the member in JSON, and its type."""

_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "What changed after the cursor, in order.",
        "content": {
            "application/json": {"example": _EXAMPLE},
            NDJSON: {
                "schema": {"contentMediaType": NDJSON},
                "example": "\n".join(json.dumps(each) for each in _EXAMPLE["changes"]) + "\n",
            },
        },
        "headers": {
            **{
                name: {"schema": {"type": kind}, "description": f"As `{member}` in JSON."}
                for name, (member, kind) in _HEADERS.items()
            },
            "Link": {"schema": {"type": "string"}, "description": "rel=next, while there is more."},
            "ETag": {"schema": {"type": "string"}},
        },
    },
    304: {"description": "The page is the one whose ETag was sent."},
    **PROBLEMS,
    **_REFUSED,
}


@router.get("/changes", response_model=None, responses=_ANSWERS)
async def changes(  # noqa: PLR0917 FastAPI passes them by name
    request: Request,
    caller: Caller,
    context: InContext,
    dataset: Name,
    cursor: Position = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Changes at most.")] = 1000,
    coach: Coaches = [],  # noqa: B006 FastAPI copies it
    client: Clients = [],  # noqa: B006 as above
    wait: Annotated[
        int,
        Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a change if there is none."),
    ] = 0,
    cursor_in_rows: Annotated[
        bool,
        Query(description="Give each row the page's cursor as `_cursor`: for clients such as dlt."),
    ] = False,
) -> Response:
    """What changed in a dataset after a cursor; without one, every row.

    Apply a change only if its `_version` is higher than the one you have of that row; keep the cursor
    after you have stored the page. A row may come twice, and is always told as it is now. `_deleted`:
    remove it; `_reason` is `deleted`, or `scope` where it went out of what you see. With `Accept:
    application/x-ndjson` the body is one change a line, and the headers say the rest.
    """
    caller.require("changes:read")
    until = clock.monotonic() + wait
    while True:
        seen, found = await run_in_threadpool(
            _look, caller, context, dataset, cursor, limit, (coach, client), cursor_in_rows
        )
        if found.lines or clock.monotonic() >= until or await request.is_disconnected():
            break
        await asyncio.sleep(LOOK_EVERY)
    if cursor is None:
        await run_in_threadpool(_begun, context, caller, dataset)
    by_line = prefers(",".join(request.headers.getlist("accept")), NDJSON, "application/json")
    members = _members(context, seen, found)
    headers = {
        # a tag is of one form of the page (RFC 9110, 8.8.3)
        "ETag": found.etag.replace('W/"', 'W/"n') if by_line else found.etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
        **{name: str(members[member]) for name, (member, _) in _HEADERS.items()},
    }
    if found.has_more:
        following = request.url.include_query_params(cursor=found.cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if by_line:
        lines = found.lines + b"\n" if found.lines else b""
        return Response(lines, media_type=NDJSON, headers=headers)
    return Response(_body(members, found), media_type="application/json", headers=headers)


@router.get("/digest", responses=PROBLEMS | _REFUSED)
def digests(
    caller: Caller,
    context: InContext,
    dataset: Name,
    at: Position = None,
    coach: Coaches = [],  # noqa: B006 FastAPI copies it
    client: Clients = [],  # noqa: B006 as above
) -> Digest:
    """Digests of all rows by bucket, to compare with a copy.

    Parameters: `at` is the cursor up to which the copy has read; buckets with `changed` hold later
    changes: read on, then compare those again. A bucket is the first byte of SHA-256 over the id;
    `sum` adds SHA-256 over each row's JSON (members sorted by name, no spaces, UTF-8, without
    members that begin with `_`), modulo 2^256.
    """
    caller.require("changes:read")
    secret = context.services.secret("feed")
    _sequence(context)
    with context.services.database.connect() as connection:
        seen = _seen(context, connection, caller, dataset, (coach, client))
        beginning = Cursor(
            change_feed.epoch(connection), 0, change_feed.head(connection), seen.major, seen.digest
        )
        reached = resume(connection, seen, at, secret) if at else beginning
        found = digest(connection, seen, reached, secret)
    return Digest(
        dataset=dataset,
        schema_version=seen.dataset.version,
        pos=found.pos,
        rows=found.rows,
        cursor=found.cursor,
        buckets=[
            DigestBucket(
                bucket=each.bucket, count=each.count, sum=each.sum,
                changed=each.changed and at is not None,
            )
            for each in found.buckets
        ],
    )  # fmt: skip


def _look(
    caller: Calling,
    context: Context,
    dataset: str,
    cursor: str | None,
    limit: int,
    refs: tuple[list[str], list[str]],
    cursor_in_rows: bool,
) -> tuple[Seen, Page]:
    secret = context.services.secret("feed")
    _sequence(context)
    with context.services.database.connect() as connection:
        seen = _seen(context, connection, caller, dataset, refs)
        at = resume(connection, seen, cursor, secret)
        found = page(connection, seen, at, secret, limit, cursor_in_rows=cursor_in_rows)
    return seen, found


def _seen(
    context: Context,
    connection: Connection,
    caller: Calling,
    dataset: str,
    refs: tuple[list[str], list[str]],
) -> Seen:
    seen_by(caller.actor, caller.grant, dataset)  # before a name of somebody else is looked up
    chosen = make_filters(
        connection, since=None, until=None, coaches=refs[0], clients=refs[1],
        zone=context.services.settings.zone,
        naming=Naming(caller.actor, caller.grant, "COACH-FED-006"),
    )  # fmt: skip
    return seen_by(caller.actor, caller.grant, dataset, chosen.coaches, chosen.clients)


def _sequence(context: Context) -> None:
    """Give places to what was committed; while nothing can be written, what has one is read."""
    try:
        change_feed.sequence(context.services.database)
    except CoachError as error:
        if error.kind is not Kind.UNAVAILABLE:
            raise


def _begun(context: Context, caller: Calling, dataset: str) -> None:
    """Who began to copy a dataset is on record, as for an export: once, however long it waits."""
    context.services.database.aside(
        lambda session: audit.record(session, caller.actor, "feed.begun", "dataset", dataset)
    )


def _members(context: Context, seen: Seen, found: Page) -> dict[str, Any]:
    """What a page says of itself."""
    return {
        "dataset": seen.dataset.name,
        "schema": seen.dataset.schema_id,
        "cursor": found.cursor,
        "from": found.from_pos,
        "to": found.to_pos,
        "has_more": found.has_more,
        "head": found.head,
        "floor": found.floor,
        "retention_days": context.services.settings.feed_keep_days,
    }


def _body(members: dict[str, Any], found: Page) -> bytes:
    opening = json.dumps(members)[:-1].encode()
    return b"".join([opening, b', "changes": [', found.lines.replace(b"\n", b",\n"), b"]}"])
