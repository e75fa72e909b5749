"""The page behind the link of a letter that ends the letters: no sign-in, no cookie, no script.

Opening it changes nothing, since mail scanners open links; the button does. Mail programs with a
button of their own post `List-Unsubscribe=One-Click` to the same address (RFC 8058). The token in
the address is the right to do so: `boundary` lets such a post pass without an Origin.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from coachops.api.access import InContext
from coachops.api.pages import page
from coachops.api.problems import TITLES, error_page, for_clients, status_of, wait_of
from coachops.coaching import messages
from coachops.core.errors import CoachError

router = APIRouter(include_in_schema=False)


@router.get("/letters/{token}")
def show_choice(token: str, context: InContext, resumed: bool = False) -> Response:
    """What holds for the address of this letter, with a button for the other."""
    return _page(context, token, resumed=resumed)


@router.post("/letters/{token}")
def keep_choice(
    token: str,
    context: InContext,
    choice: Annotated[str, Form(max_length=10)] = "",
    one_click: Annotated[str, Form(alias="List-Unsubscribe", max_length=40)] = "",
) -> Response:
    """End the letters, or begin them again; the same once more changes nothing."""
    services = context.services
    secret = services.secret("feedback")
    by_program = one_click == "One-Click"
    try:
        if by_program or choice == "stop":
            messages.stop_letters(services.database, secret, token)
        elif choice == "resume":
            messages.resume_letters(services.database, secret, token)
    except CoachError as error:
        return _page(context, token, problem=error)
    if by_program:  # such programs do not follow redirects (RFC 8058, section 3.1)
        return _page(context, token)
    again = "?resumed=true" if choice == "resume" else ""
    return RedirectResponse(f"/letters/{token}{again}", status_code=303)


def _page(
    context: InContext, token: str, *, problem: CoachError | None = None, resumed: bool = False
) -> Response:
    services = context.services
    try:
        choice = messages.open_choice(services.database, services.secret("feedback"), token)
    except CoachError as error:
        shown = for_clients(error)
        refused = error_page(shown, TITLES[shown.kind], action=None)
        refused.headers.update(wait_of(error))
        return refused
    response = page(
        "letters.html",
        status=status_of(problem) if problem else 200,
        choice=choice,
        organisation=services.settings.organisation,
        problem=problem and for_clients(problem),
        resumed=resumed and not choice.stopped,
    )
    if problem is not None:
        response.headers.update(wait_of(problem))
    return response
