"""The client's page behind the link of a follow-up: two questions, no sign-in, no cookie, no script.

The token in the address is signed by us and names one message, so nobody can answer for another,
and a forged form elsewhere would need the token; `boundary` refuses other origins on top.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from coachops.api.access import InContext
from coachops.api.pages import message_page, page
from coachops.api.problems import TITLES, for_clients, status_of, wait_of
from coachops.coaching import feedback
from coachops.core.errors import CoachError
from coachops.core.text import CleanText

router = APIRouter(include_in_schema=False)

SCALE = {1: "Not helpful", 2: "A little", 3: "Partly", 4: "Helpful", 5: "Very helpful"}


@router.get("/feedback/{token}")
def show_form(token: str, context: InContext, thanks: bool = False) -> Response:
    """The form, or what was answered already."""
    return _form(context, token, thanks=thanks)


@router.post("/feedback/{token}")
def keep_answer(
    token: str,
    context: InContext,
    helpfulness: Annotated[int, Form()] = 0,
    next_focus: Annotated[str, Form(), CleanText(max=8000)] = "",
) -> Response:
    """Keep the answer and say thanks; a reload of that page sends nothing again."""
    services = context.services
    try:
        feedback.record(
            services.database, services.secret("feedback"), token, helpfulness, next_focus
        )
    except CoachError as error:
        if error.code in {"COACH-MSG-007", "COACH-MSG-008"}:
            return _refused(error)
        return _form(context, token, error=for_clients(error), typed=(helpfulness, next_focus))
    return RedirectResponse(f"/feedback/{token}?thanks=true", status_code=303)


def _form(
    context: InContext,
    token: str,
    *,
    thanks: bool = False,
    error: CoachError | None = None,
    typed: tuple[int, str] | None = None,
) -> Response:
    services = context.services
    try:
        form = feedback.open_form(services.database, services.secret("feedback"), token)
    except CoachError as refused:
        return _refused(for_clients(refused))
    return page(
        "feedback.html",
        status=status_of(error) if error else 200,
        form=form,
        organisation=services.settings.organisation,
        scale=SCALE,
        chosen=typed[0] if typed else form.helpfulness,
        focus=typed[1] if typed else form.next_focus,
        limit=feedback.FOCUS_LIMIT,
        answered=form.helpfulness is not None,
        thanks=thanks and form.helpfulness is not None,
        error=error,
    )


def _refused(error: CoachError) -> Response:
    response = message_page(
        TITLES[error.kind],
        error.message,
        error.next_step,
        code=error.code,
        status=status_of(error),
        action=None,
    )
    response.headers.update(wait_of(error))
    return response
