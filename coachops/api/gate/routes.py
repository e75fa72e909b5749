"""The addresses under `/app/`: an allow-list; whatever is not listed does not exist."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from coachops.api.access import session_id_of
from coachops.api.gate.gate import Gate
from coachops.api.gate.sockets import REFUSED
from coachops.api.gate.upstream import VoilaDownError
from coachops.api.pages import message_page
from coachops.api.signing_in import to_sign_in
from coachops.core.errors import CoachError
from coachops.identity.pages import Page, may_open

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KERNEL = re.compile(rf"api/kernels/({_UUID})")
_KERNEL_ID = re.compile(_UUID)
_STATIC = re.compile(r"voila/(?:static|templates|labextensions|api/themes)/[A-Za-z0-9@_+.\-/]+")
_RELOAD_AFTER = 3


def gate_router(gate: Gate) -> APIRouter:
    """The routes of `gate`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/app")
    @router.get("/app/")
    def start() -> Response:
        return RedirectResponse("/", status_code=303)

    @router.post("/app/voila/api/shutdown/{kernel_id}")
    async def beacon(kernel_id: str, request: Request) -> Response:
        """What the browser sends when it leaves a page; answered here, never by Voila."""
        if not await gate.owns(session_id_of(request), kernel_id):
            raise CoachError("COACH-API-001")
        await gate.left(kernel_id)
        return Response(status_code=204)

    @router.get("/app/{path:path}")
    async def everything_else(request: Request) -> Response:
        return await _answer(gate, request)

    @router.websocket("/app/api/kernels/{kernel_id}/channels")
    async def channels(websocket: WebSocket, kernel_id: str) -> None:
        """The page's socket to its kernel, for the sign-in that claimed it (Origin: `boundary`)."""
        owner = _KERNEL_ID.fullmatch(kernel_id) and await gate.owns(
            session_id_of(websocket), kernel_id
        )
        if not owner:
            await websocket.close(REFUSED)  # before accept: the handshake answers 403
            return
        await gate.opened(kernel_id)
        try:
            await gate.sockets.relay(websocket, kernel_id)
        finally:
            await gate.closed(kernel_id)

    return router


_UNCACHED = {"Cache-Control": "no-store"}


async def _answer(gate: Gate, request: Request) -> Response:
    # the path as sent: what was percent-encoded must not turn into something that is listed
    raw = request.scope["raw_path"].decode("latin-1").removeprefix("/app/")
    session_id = session_id_of(request)
    page = gate.pages.get(raw)
    if page is not None:
        return await _page(gate, page, request)
    if _STATIC.fullmatch(raw) and ".." not in raw and "//" not in raw:
        await gate.knows(session_id)
        return await _static(gate, raw, request)
    await gate.actor_of(session_id)
    kernel = _KERNEL.fullmatch(raw)
    if kernel is not None and await gate.owns(session_id, kernel[1]):
        try:
            model = await gate.upstream.kernel_model(kernel[1])
        except VoilaDownError:
            raise CoachError("COACH-API-007") from None
        if model is not None:
            return Response(model, media_type="application/json", headers=_UNCACHED)
    raise CoachError("COACH-API-001")


async def _page(gate: Gate, page: Page, request: Request) -> Response:
    """A page view: one ticket, one kernel. Nothing of the browser's request is passed on."""
    session_id = session_id_of(request)
    try:
        actor = await gate.actor_of(session_id)
    except CoachError:
        return to_sign_in(request.url.path)
    if not may_open(page, actor):
        raise CoachError("COACH-IDN-003", what=f"the page {page.title}")
    assert session_id is not None  # noqa: S101 actor_of refused None
    ticket = await gate.ask(gate.identity.issue_ticket, session_id, page.name, gate.limit)
    try:
        body = await gate.upstream.page(page.name, ticket)
    except VoilaDownError:
        await gate.ask(gate.identity.discard_ticket, ticket)
        starting = CoachError("COACH-API-007")
        return message_page(
            "One moment, please",
            starting.message,
            starting.next_step,
            code=starting.code,
            request_id=starting.request_id,
            more=starting.spec.page,
            status=503,
            reload_after=_RELOAD_AFTER,
            action=(request.url.path, "Reload now"),
        )
    return StreamingResponse(
        body,
        media_type="text/html; charset=utf-8",
        headers=_UNCACHED | {"Content-Security-Policy": gate.page_csp},
    )


async def _static(gate: Gate, path: str, request: Request) -> Response:
    try:
        file = await gate.upstream.static_file(path)
    except VoilaDownError:
        raise CoachError("COACH-API-007") from None
    if file is None:
        raise CoachError("COACH-API-001")
    headers = {
        "Cache-Control": "private, max-age=3600",
        "ETag": file.etag,
        "Content-Security-Policy": gate.page_csp,
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
