"""HTML of the pages that are no dashboards: sign-in, links, feedback, messages. They need no script.

Templates lie in `templates/`, their style in `static/site.css`; everything is escaped by Jinja.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("coachops.api"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template; never kept by caches, since it depends on who asks."""
    html = _environment().get_template(template).render(values)
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})


def message_page(
    title: str,
    happened: str,
    next_step: str,
    *,
    why: str = "",
    code: str = "",
    request_id: str = "",
    more: str = "",
    status: int = 200,
    reload_after: int | None = None,
    action: tuple[str, str] | None = ("/", "Go to the start page"),
) -> HTMLResponse:
    """A page that says what happened and what to do.

    Parameters:
        why: the likely cause.
        more: path of the guide's page about the code.
        reload_after: seconds after which the browser asks again by itself.
        action: address and words of the one link.
    """
    response = page(
        "message.html",
        status=status,
        title=title,
        happened=happened,
        next_step=next_step,
        why=why,
        code=code,
        request_id=request_id,
        more=more,
        reload_after=reload_after,
        action=action,
    )
    if reload_after is not None:
        response.headers["Retry-After"] = str(reload_after)
    return response
