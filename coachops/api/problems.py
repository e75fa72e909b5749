"""Errors as answers: kind of an error -> status; problem+json for programs, a page for people.

RFC 9457 members plus `code`, `why`, `next_step`, `who`, `retryable` and `request_id`; `type` is the
address of the guide's page about the code. Whatever fails, the answer carries a code of the catalogue
and never a stack trace.
"""

from __future__ import annotations

import logging
import traceback

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

from coachops.api.pages import message_page
from coachops.core.errors import CoachError, Kind
from coachops.core.text import clean_line

log = logging.getLogger("coachops.api")

STATUS: dict[Kind, int] = {
    Kind.INVALID: 422,
    Kind.USAGE: 400,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.CONFIGURATION: 500,
    Kind.UNAVAILABLE: 503,
    Kind.FAILED: 500,
}
"""Kind of an error -> HTTP status."""

STATUS_OF_CODE: dict[str, int] = {
    "COACH-API-002": 405,
    "COACH-API-003": 421,
    "COACH-FED-003": 410,
    "COACH-FED-004": 410,
    "COACH-FED-005": 410,
    "COACH-API-009": 429,
    "COACH-IDN-014": 429,
    "COACH-INB-002": 412,
    "COACH-EXP-044": 410,
    "COACH-EXP-046": 416,
    "COACH-EXP-047": 429,
    "COACH-EXP-053": 429,
}
"""Codes for which HTTP has a status of its own."""

MORE = ("quarantine_id", "fields", "version", "last_version", "links")
"""Details that are members of the problem: where a refused file waits, which fields are in the way,
the row's version now and the one that this source wrote last, where to go from here."""

RETRY_AFTER = 5
"""Seconds after which a retryable error may be tried again, where the error does not say."""

TITLES: dict[Kind, str] = {
    Kind.INVALID: "Something needs correcting",
    Kind.USAGE: "This request cannot be answered",
    Kind.NOT_FOUND: "Not found",
    Kind.CONFLICT: "Not possible right now",
    Kind.TOO_LARGE: "Too large",
    Kind.UNAUTHENTICATED: "Please sign in",
    Kind.FORBIDDEN: "Not allowed",
    Kind.CONFIGURATION: "The installation needs attention",
    Kind.UNAVAILABLE: "Not available right now",
    Kind.FAILED: "Something went wrong",
}


def status_of(error: CoachError) -> int:
    """The HTTP status of an error."""
    return STATUS_OF_CODE.get(error.code, STATUS[error.kind])


def problem(error: CoachError, *, request_id: str, origin: str) -> JSONResponse:
    """The error as `application/problem+json`.

    Parameters:
        origin: of this site, for the address of the guide's page.
    """
    status = status_of(error)
    members = error.as_dict()
    page = members.pop("page")
    members |= {name: error.details[name] for name in MORE if name in error.details}
    response = JSONResponse(
        {
            "type": f"{origin}{page}",
            "title": TITLES[error.kind],
            "status": status,
            "detail": error.message,
            **members,
            "request_id": request_id,
        },
        status_code=status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer(error: CoachError, scope: Scope) -> Response:
    """The error as a page where a person's browser asked for one, else as problem+json.

    Parameters:
        scope: of the request; the boundary has left its `request_id` and the site's `origin` in it.
    """
    request_id = str(scope.get("request_id", ""))
    accept = Headers(scope=scope).get("accept", "")
    response: Response
    if scope["path"].startswith("/v1/") or "text/html" not in accept:
        response = problem(error, request_id=request_id, origin=str(scope.get("origin", "")))
    else:
        response = error_page(error, TITLES[error.kind], request_id=request_id)
    response.headers.update(wait_of(error))
    return response


def wait_of(error: CoachError) -> dict[str, str]:
    """The header that says when to try again, where a new try makes sense."""
    seconds = error.retry_after
    if seconds is None and not error.spec.retryable:
        return {}
    return {"Retry-After": str(RETRY_AFTER if seconds is None else seconds)}


def error_page(
    error: CoachError,
    title: str,
    *,
    request_id: str = "",
    status: int | None = None,
    action: tuple[str, str] | None = ("/", "Go to the start page"),
) -> HTMLResponse:
    """The page that tells a person of an error, with its code, its id and the way to the guide."""
    return message_page(
        title,
        error.message,
        error.next_step,
        why=error.spec.why,
        code=error.code,
        request_id=request_id or error.request_id,
        more=error.spec.page,
        status=status or status_of(error),
        action=action,
    )


def unexpected(error: BaseException, request_id: str) -> CoachError:
    """Log an error that nobody foresaw, without its message (it may quote data)."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error(
        "unexpected %s in request %s\n%s", type(error).__name__, request_id, frames,
        extra={"request_id": request_id},
    )  # fmt: skip
    return CoachError("COACH-SYS-003", reason=type(error).__name__)


def install(app: FastAPI) -> None:
    """Make every error that leaves a route an answer with a code."""

    def reply(request: Request, error: CoachError) -> Response:
        return answer(error, request.scope)

    @app.exception_handler(CoachError)
    async def _known(request: Request, error: CoachError) -> Response:
        return reply(request, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        field = clean_line(field)[:100]  # a name that the caller made up is no text yet
        return reply(request, CoachError("COACH-API-006", field=field, reason=first["msg"]))

    @app.exception_handler(HTTPException)
    async def _plain(request: Request, error: HTTPException) -> Response:
        if isinstance(request.scope.get("body_error"), CoachError):
            return reply(request, request.scope["body_error"])
        if error.status_code == 404:
            return reply(request, CoachError("COACH-API-001"))
        if error.status_code == 405:
            known = CoachError("COACH-API-002", method=request.method)
            response = reply(request, known)
            response.headers["Allow"] = ", ".join(_methods(request))
            return response
        if error.status_code in {400, 415, 422}:
            known = CoachError("COACH-API-006", field="body", reason="it cannot be read")
            return reply(request, known)
        return reply(request, unexpected(error, str(request.scope.get("request_id", ""))))


def _methods(request: Request) -> list[str]:
    """The methods that this address takes, over all its routes."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def for_clients(error: CoachError) -> CoachError:
    """The error in words for somebody who has nothing to do with databases."""
    return CoachError("COACH-MSG-016") if error.kind is Kind.UNAVAILABLE else error
