"""The guide under `/guide/`: the built MkDocs site, for everybody who is signed in.

What explains an error is for everybody: whoever cannot sign in, and programs that follow the address
in a problem's `type`, must be able to read it. Nothing in it is secret.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from coachops.api.access import visit_of
from coachops.api.signing_in import to_sign_in
from coachops.core.errors import CoachError

CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""MkDocs Material writes inline scripts; nothing is fetched from elsewhere."""

FOR_EVERYBODY = ("reference/errors/", "how-to/when-something-fails/", "assets/")
"""Beginnings of paths that need no sign-in: pages about errors, and their style."""


def guide_router(folder: Path) -> APIRouter:
    """The routes that serve the site built in `folder`, which may appear later."""
    router = APIRouter(include_in_schema=False)
    files = StaticFiles(directory=folder, html=True, check_dir=False)

    @router.get("/guide")
    def to_folder() -> Response:
        return RedirectResponse("/guide/", status_code=308)

    @router.get("/guide/{path:path}")
    async def guide_file(path: str, request: Request) -> Response:
        if not path.startswith(FOR_EVERYBODY) or ".." in path:
            try:
                await run_in_threadpool(visit_of, request)
            except CoachError:
                return to_sign_in(request.url.path)
        if not (folder / "index.html").is_file():
            raise CoachError("COACH-API-008")
        try:
            response = await files.get_response(path or ".", request.scope)
        except HTTPException:
            raise CoachError("COACH-API-001") from None
        if isinstance(response, RedirectResponse):  # StaticFiles builds it from the mount's path
            return RedirectResponse(f"/guide/{path}/", status_code=308)
        response.headers["Content-Security-Policy"] = CSP
        response.headers["Cache-Control"] = "private, max-age=300"
        return response

    return router
