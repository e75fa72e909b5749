"""The outermost layer: what every request must satisfy before a route runs, and what every answer has.

In this order: a request id (the caller's own where it is well formed); the Host we answer to (DNS rebinding); the Origin of everything that
changes something, websockets included (cross-site requests); the size of the body, before and while
it is read. Then security headers, counting, and a last catch for what nobody foresaw.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coachops.api.metrics import RequestFigures
from coachops.api.problems import answer, unexpected
from coachops.core import clock, request
from coachops.core.errors import CoachError
from coachops.identity import Allowance

SMALL_BODY = 64 * 1024
LIMITS: tuple[tuple[str, int], ...] = (("/v1/transcripts", 11 << 20), ("/v1/imports", 20 << 20))
"""Largest body in bytes by the start of the path; `SMALL_BODY` elsewhere."""

BY_LINK = "/letters/"
"""Start of addresses that are themselves the right to change something: mail services post there
without an Origin (RFC 8058)."""

ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes and Prometheus come by address, not by name; these answers hold counts only."""

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: tuple[tuple[str, str], ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)
_SAFE = frozenset({"GET", "HEAD"})


class Boundary:
    """ASGI middleware around the whole application.

    Parameters:
        app: the application.
        public_url: the one origin, such as `https://coaching.example.org`.
        figures: counts requests.
    """

    def __init__(self, app: ASGIApp, public_url: str, figures: RequestFigures) -> None:
        self._app = app
        self._origin = origin_of(public_url)
        self._host = urlsplit(self._origin).netloc
        self._https = self._origin.startswith("https://")
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, decorate."""
        if scope["type"] == "http":
            with request.using(Headers(scope=scope).get(request.HEADER)) as request_id:
                await self._http(scope, receive, send, request_id)
        elif scope["type"] == "websocket":
            if self._refusal(scope, Headers(scope=scope)) is not None:
                await send({"type": "websocket.close", "code": 4403})  # before accept: HTTP 403
            else:
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        scope["request_id"] = request_id
        scope["origin"] = self._origin
        headers = Headers(scope=scope)
        started = clock.monotonic()
        state: MutableMapping[str, Any] = {"status": 0}

        async def decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                written = MutableHeaders(raw=message["headers"])
                self._decorate(written, request_id)
                _tell_limit(written, scope.get("rate_limit"))
                if state.get("close"):
                    written["Connection"] = "close"
            await send(message)

        async def reply(error: CoachError) -> None:
            await answer(error, scope)(scope, receive, decorated)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                state["close"] = True  # what follows on this connection may be the rest of a body
                await reply(refusal)
                return
            await self._app(scope, _limited(scope, receive), decorated)
        except CoachError as error:
            if state["status"]:
                raise
            await reply(error)
        except Exception as error:  # the last line of defence: nobody sees a traceback
            known = unexpected(error, request_id)
            if state["status"]:
                raise  # the answer has begun: only closing the connection tells that it is cut
            await reply(known)
        finally:
            self._figures.add(scope, state["status"], clock.monotonic() - started)

    def _refusal(self, scope: Scope, headers: Headers) -> CoachError | None:
        if headers.get("host") != self._host and scope["path"] not in ANY_HOST:
            return CoachError("COACH-API-003", origin=self._origin)
        if "transfer-encoding" in headers and "content-length" in headers:
            # RFC 9112, 6.1: two lengths are how requests are smuggled past a proxy
            return CoachError("COACH-API-006", field="body", reason="it has two lengths")
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        if origin != self._origin:
            program = origin is None and (
                headers.get("authorization", "").startswith("Bearer ")
                or scope["path"].startswith(BY_LINK)
            )
            if not program or scope["type"] == "websocket":
                return CoachError("COACH-API-004")
        if scope["type"] == "http":
            return _too_large(scope, headers)
        return None

    def _decorate(self, headers: MutableHeaders, request_id: str) -> None:
        headers[request.HEADER] = request_id
        for name, value in HEADERS:
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", CSP)
        if self._https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _tell_limit(headers: MutableHeaders, left: Allowance | None) -> None:
    """What is left to the caller (draft-ietf-httpapi-ratelimit-headers-10)."""
    if left is not None:
        headers["RateLimit-Policy"] = f'"default";q={left.limit};w=60'
        headers["RateLimit"] = f'"default";r={left.remaining};t={left.wait}'


def origin_of(url: str) -> str:
    """Scheme and authority of a URL, as browsers write an Origin (default ports left out)."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _limit(scope: Scope) -> int:
    return next((size for start, size in LIMITS if scope["path"].startswith(start)), SMALL_BODY)


def _too_large(scope: Scope, headers: Headers) -> CoachError | None:
    limit = _limit(scope)
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > limit:
        return CoachError("COACH-API-005", limit=limit)
    return None


def _limited(scope: Scope, receive: Receive) -> Receive:
    """`receive`, that refuses a body growing beyond the limit (chunked bodies announce none).

    The error is also left in the scope: the framework hides what goes wrong while it reads forms.
    """
    limit = _limit(scope)
    taken = 0

    async def wrapped() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            scope["body_error"] = CoachError("COACH-API-005", limit=limit)
            raise scope["body_error"]
        return message

    return wrapped
