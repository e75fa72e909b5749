"""Sign-in by password or link, sign-out, and the start page that knows where each role works."""

from __future__ import annotations

import uuid
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from coachops.api.access import (
    InContext,
    SignedIn,
    address_of,
    session_id_of,
    set_session_cookie,
    visit_of,
)
from coachops.api.pages import page
from coachops.api.problems import error_page, status_of, wait_of
from coachops.core.errors import CoachError
from coachops.core.text import CleanLine
from coachops.identity import LinkView
from coachops.identity.pages import home_of

router = APIRouter(include_in_schema=False)


@router.get("/")
def start(request: Request) -> Response:
    """To the page where this role works, or to the sign-in."""
    try:
        visit = visit_of(request)
    except CoachError:
        return _see("/login")
    return _see(home_of(visit.actor))


@router.get("/login")
def show_sign_in(request: Request, context: InContext, next: str = "") -> Response:  # noqa: A002 the address's own word
    """The sign-in form; who is signed in already goes on."""
    try:
        visit_of(request)
    except CoachError:
        return _form(context, goes_to=local_path(next))
    return _see(local_path(next) or "/")


@router.post("/login")
def sign_in(
    request: Request,
    context: InContext,
    email: Annotated[str, Form(), CleanLine(max=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=500)] = "",  # noqa: A002 as above
) -> Response:
    """Sign in by password; a failure shows the form again and says what to do."""
    address = address_of(request)
    try:
        context.guesses.check(address)
        session_id = context.services.identity.sign_in(email, password)
    except CoachError as error:
        if error.code == "COACH-IDN-001":
            context.guesses.failed(address)
        return _form(context, email=email, goes_to=local_path(next), error=error)
    return _signed_in(request, context, session_id, local_path(next) or "/")


@router.post("/logout")
def sign_out(request: Request, context: InContext) -> Response:
    """End the sign-in everywhere; its dashboards close within seconds."""
    session_id = session_id_of(request)
    if session_id is not None:
        context.services.identity.sign_out(session_id)
    response = _see("/login")
    response.delete_cookie(
        context.cookie_name, path="/", secure=context.https, httponly=True, samesite="lax"
    )
    return response


@router.get("/link/{token}")
def show_link(token: str, context: InContext) -> Response:
    """What a one-time link is for; opening it changes nothing."""
    try:
        view = context.services.identity.look_at_link(token)
    except CoachError as error:
        return _dead_link(error)
    return _link_form(context, view)


@router.post("/link/{token}")
def use_link(
    token: str,
    request: Request,
    context: InContext,
    password: Annotated[str, Form(max_length=1000)] = "",
    repeated: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Use a link: set the new password where it is for one, and sign in."""
    identity = context.services.identity
    try:
        view = identity.look_at_link(token)
        if view.needs_password:
            _same(password, repeated)
        session_id = identity.redeem_link(token, password if view.needs_password else None)
    except CoachError as error:
        if error.code != "COACH-IDN-006":
            return _dead_link(error)
        view = identity.look_at_link(token)
        return _link_form(context, view, error)
    return _signed_in(request, context, session_id, "/")


@router.get("/account")
def show_account(visit: SignedIn, context: InContext) -> Response:
    """Who is signed in, and the form to change the password."""
    return page("account.html", actor=visit.actor, error=None, done=False, home=_home(visit))


@router.post("/account")
def change_password(
    visit: SignedIn,
    context: InContext,
    old: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    repeated: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change the password; the other sign-ins of this person end."""
    error: CoachError | None = None
    try:
        _same(password, repeated)
        context.services.identity.change_password(visit.session_id, old, password)
    except CoachError as caught:
        error = caught
    return page(
        "account.html",
        status=status_of(error) if error else 200,
        actor=visit.actor,
        error=error,
        done=error is None,
        home=_home(visit),
    )


def _signed_in(
    request: Request, context: InContext, session_id: uuid.UUID, goes_to: str
) -> Response:
    """Give the browser its new sign-in; the one it had ends, since nobody holds its cookie now."""
    before = session_id_of(request)
    if before is not None:
        context.services.identity.sign_out(before)
    response = _see(goes_to)
    set_session_cookie(response, context, session_id)
    return response


def local_path(text: str) -> str:
    """`text` where it is a path of our own pages, else nothing: no redirect leaves the site."""
    inside = text.startswith(("/app/", "/guide/", "/account"))
    odd = "\\" in text or "//" in text or ".." in text or any(ord(letter) < 33 for letter in text)
    return text if inside and not odd else ""


def to_sign_in(path: str) -> Response:
    """To the sign-in, and back to `path` afterwards."""
    return _see(f"/login?next={quote(path, safe='/')}" if local_path(path) else "/login")


def _form(
    context: InContext, *, goes_to: str, email: str = "", error: CoachError | None = None
) -> Response:
    response = page(
        "login.html",
        status=status_of(error) if error else 200,
        organisation=_organisation(context),
        email=email,
        goes_to=goes_to,
        error=error,
    )
    if error is not None:
        response.headers.update(wait_of(error))
    return response


def _link_form(context: InContext, view: LinkView, error: CoachError | None = None) -> Response:
    return page(
        "link.html",
        status=status_of(error) if error else 200,
        view=view,
        until=view.expires_at.astimezone(context.services.settings.zone),
        organisation=_organisation(context),
        error=error,
    )


def _dead_link(error: CoachError) -> Response:
    return error_page(
        error,
        "This link no longer works",
        status=410 if error.code == "COACH-IDN-004" else status_of(error),
        action=("/login", "Go to the sign-in"),
    )


def _same(password: str, repeated: str) -> None:
    if password != repeated:
        raise CoachError("COACH-IDN-006", reason="was not typed the same twice")


def _organisation(context: InContext) -> str:
    return context.services.settings.organisation


def _home(visit: SignedIn) -> str:
    return home_of(visit.actor)


def _see(path: str) -> RedirectResponse:
    response = RedirectResponse(path, status_code=303)
    response.headers["Cache-Control"] = "no-store"
    return response
