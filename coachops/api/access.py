"""Who asks: the session cookie of a browser, or the bearer token of a program.

Routes take `SignedIn` (a person) or `Caller` (either) as a parameter; nothing else reads cookies.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends
from fastapi.responses import Response
from starlette.requests import HTTPConnection

from coachops.api.metrics import RequestFigures
from coachops.api.pacing import Lately, Pace
from coachops.bootstrap import Services
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.identity import FailureLimit, RequestLimit

if TYPE_CHECKING:
    from coachops.jobs.exports import Exports


class Work(Protocol):
    """What routes hand to background work; `jobs.Jobs` does it in a worker."""

    def enqueue_pipeline(self, transcript_id: uuid.UUID) -> object:
        """Analyse a transcript and draft its follow-up, soon."""


@dataclass(frozen=True)
class Context:
    """What routes share: the services of the process, its figures, and who takes work."""

    services: Services
    given_work: Work | None = None
    figures: RequestFigures = field(default_factory=RequestFigures)
    guesses: FailureLimit = field(default_factory=FailureLimit)
    bad_tokens: FailureLimit = field(default_factory=FailureLimit)
    polls: Pace = field(default_factory=Pace)
    fetched: Lately = field(default_factory=Lately)

    @cached_property
    def requests(self) -> RequestLimit:
        """How often each caller of `/v1` may ask."""
        return RequestLimit(self.services.settings.requests_per_minute)

    @cached_property
    def work(self) -> Work:
        """The queue of the worker process."""
        if self.given_work is not None:
            return self.given_work
        from coachops.jobs import Jobs  # noqa: PLC0415 479 ms of DBOS that most requests do not need

        return Jobs(self.services.settings, self.services)

    @cached_property
    def exports(self) -> Exports:
        """The exports that were asked for, and the way to ask for one."""
        from coachops.jobs.exports import Exports  # noqa: PLC0415 pyarrow and the queue
        from coachops.jobs.queue import JobQueue  # noqa: PLC0415 as above

        return Exports(self.services, JobQueue(self.services.settings))

    @property
    def https(self) -> bool:
        """Whether browsers reach us by HTTPS, so that cookies insist on it."""
        return self.services.settings.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        """The session cookie's name; `__Host-` makes browsers refuse it from other hosts."""
        return "__Host-coachops_session" if self.https else "coachops_session"


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that answers."""
    context: Context = connection.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person in a browser."""

    session_id: uuid.UUID
    actor: Actor


def address_of(connection: HTTPConnection) -> str:
    """The address that a request comes from; "" where it cannot be told.

    With https a reverse proxy stands before us: unless `COACHOPS_TRUSTED_PROXY` names it, everybody
    comes from its address, and a limit on that one would lock everybody out.
    """
    settings = context_of(connection).services.settings
    if settings.public_url.startswith("https://") and not settings.trusted_proxy:
        return ""
    return connection.client.host if connection.client is not None else ""


def session_id_of(connection: HTTPConnection) -> uuid.UUID | None:
    """The session id that the cookie claims with a good signature; it may have ended."""
    context = context_of(connection)
    value = connection.cookies.get(context.cookie_name)
    return context.services.identity.session_from_cookie(value)


def visit_of(connection: HTTPConnection) -> Visit:
    """Who sits at the browser.

    Raises:
        CoachError: COACH-IDN-002.
    """
    session_id = session_id_of(connection)
    if session_id is None:
        raise CoachError("COACH-IDN-002")
    return Visit(session_id, context_of(connection).services.identity.actor_of(session_id))


SignedIn = Annotated[Visit, Depends(visit_of)]


@dataclass(frozen=True, slots=True)
class Calling:
    """Whoever calls `/v1`. `scopes` is None for a person, who may do what the role allows.

    `grant` is what a token may see of that; `token_id` is None for a person.
    """

    actor: Actor
    scopes: frozenset[str] | None
    grant: Grant = EVERYTHING
    token_id: uuid.UUID | None = None

    def require(self, scope: str) -> Actor:
        """The actor, when the token holds `scope`. Raises COACH-IDN-015."""
        if self.scopes is not None and scope not in self.scopes:
            raise CoachError("COACH-IDN-015", scope=scope)
        return self.actor

    def require_full(self, what: str) -> None:
        """Refuse a token that may see pseudonyms only, where names or words are shown or taken.

        Raises:
            CoachError: COACH-IDN-016.
        """
        if self.grant.privacy != "full":
            raise CoachError("COACH-IDN-016", what=what)

    def require_everybody(self, what: str) -> None:
        """Refuse a token that is limited to some coaches or clients, where nothing can tell whose.

        Raises:
            CoachError: COACH-IDN-016.
        """
        if self.grant.limits_people:
            raise CoachError("COACH-IDN-016", what=what)


def caller_of(connection: HTTPConnection) -> Calling:
    """The caller by bearer token, else by cookie; a token that is wrong never falls back.

    A good token is let in from any address, so a broken program stops nobody beside it.

    Raises:
        CoachError: COACH-IDN-012 bad token, COACH-IDN-014 too many bad ones from this address,
            COACH-IDN-002 not signed in, COACH-API-009 too many requests.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        context = context_of(connection)
        try:
            bearer = context.services.identity.actor_of_token(token.strip())
        except CoachError as error:
            if error.code == "COACH-IDN-012":
                address = address_of(connection)
                context.bad_tokens.check(address)
                context.bad_tokens.failed(address)
            raise
        _count(connection, f"token {bearer.token_id}")
        return Calling(bearer.actor, bearer.scopes, bearer.grant, bearer.token_id)
    actor = visit_of(connection).actor
    _count(connection, f"user {actor.user_id}")
    return Calling(actor, None)


def _count(connection: HTTPConnection, caller: str) -> None:
    """Count a request of the caller; the boundary tells them what is left. Raises COACH-API-009."""
    left = context_of(connection).requests.take(caller)
    if left is None:
        return
    connection.scope["rate_limit"] = left
    if not left.allowed:
        raise CoachError(
            "COACH-API-009", limit=left.limit, seconds=left.wait, retry_after=left.wait
        )  # fmt: skip


Caller = Annotated[Calling, Depends(caller_of)]


def set_session_cookie(response: Response, context: Context, session_id: uuid.UUID) -> None:
    """Give the browser the session; scripts cannot read it, other sites cannot send it along."""
    settings = context.services.settings
    response.set_cookie(
        context.cookie_name,
        context.services.identity.cookie_for(session_id),
        max_age=int(settings.session_hours * 3600),
        path="/",
        secure=context.https,
        httponly=True,
        samesite="lax",
    )
