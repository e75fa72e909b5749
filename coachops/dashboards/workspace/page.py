"""Who looks, with which services, and which view: the composition of the workspace."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from coachops.coaching import people
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.dashboards import identity
from coachops.dashboards.components import NavItem, Page, button
from coachops.dashboards.workspace import client, helping, home, session, upload
from coachops.dashboards.workspace.shell import Crumb, Shell

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.coaching.people import ClientRow
    from coachops.dashboards.components import Button


class Work(Protocol):
    """What the workspace asks of background work; `jobs.Jobs` does it in a worker."""

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> object:
        """Analyse a transcript and draft its follow-up, soon; `engine` as in `analysis.analyse`."""

    def enqueue_send(self, message_id: uuid.UUID) -> object:
        """Send an approved follow-up, soon, once."""


class Workspace:
    """The workspace of one signed-in person.

    Parameters:
        actor: who acts; every capability checks what this person may see and do.
        services: database and settings.
        work: takes analyses and sendings over.
    """

    def __init__(self, actor: Actor, services: Services, work: Work) -> None:
        self.actor, self.services, self.work = actor, services, work
        self.database = services.database
        self.shell = Shell(actor.name, _links(actor))
        self.home()

    @property
    def page(self) -> Page:
        """The widget."""
        return self.shell.page

    @property
    def now(self) -> dt.datetime:
        """The moment, in the organisation's time zone."""
        return clock.now().astimezone(self.services.settings.zone)

    @property
    def today(self) -> dt.date:
        """The organisation's date."""
        return self.now.date()

    def home(self) -> None:
        """Show what needs the coach, the clients and the newest sessions."""
        self.shell.show(home.view(self))

    def client(self, client_id: uuid.UUID) -> None:
        """Show a client."""
        self.shell.show(client.view(self, client_id))

    def session(self, transcript_id: uuid.UUID, part: str = "") -> None:
        """Show a session by its transcript; `part` is the panel to open (such as `follow-up`)."""
        self.shell.show(session.view(self, transcript_id, part))

    def upload(self, client_id: uuid.UUID | None = None, *, notes: bool = False) -> None:
        """Show the upload, with a client chosen; `notes` opens the typing of notes."""
        self.shell.show(upload.view(self, client_id, notes=notes))

    def help(self) -> None:
        """Show what to do when something failed."""
        self.shell.show(helping.view(self))

    def home_crumb(self) -> Crumb:
        """The first step of every way back."""
        return Crumb("Home", self.home)

    def help_button(self) -> Button:
        """The button to the help, for every view."""
        return button("Help", self.help, "quiet")

    def clients(self) -> list[ClientRow]:
        """The actor's clients, the newest session first."""
        return people.list_clients(self.database, self.actor)

    def client_row(self, client_id: uuid.UUID) -> ClientRow:
        """A client of the actor; of two engagements the running one.

        Raises:
            CoachError: COACH-CCH-001 where the actor may not see it.
        """
        rows = [row for row in self.clients() if row.id == client_id]
        if not rows:
            raise CoachError("COACH-CCH-001", what="client", ref=client_id)
        return max(rows, key=lambda row: (self.actor.may_change(row.coach_id), row.active))


def _links(actor: Actor) -> list[NavItem]:
    pages = [NavItem("Workspace", "/app/workspace", current=True)]
    if actor.role in {"admin", "coach"}:
        pages.append(NavItem("Quarantine", "/app/quarantine"))
    if actor.role in {"admin", "analyst"}:
        pages.append(NavItem("Overview", "/app/overview"))
    return [*pages, NavItem("Guide", "/guide/")]


def page(
    actor: Actor | None = None, services: Services | None = None, jobs: Work | None = None
) -> Any:
    """The coach workspace as a widget, or an error card that says what to do.

    Parameters:
        actor: who looks; None asks who sits in this Voila kernel.
        services: None takes those of this kernel.
        jobs: who takes background work; None hands it to the worker process.
    """

    worker: Callable[[Services], Work] = _worker_maker() if jobs is None else lambda _: jobs

    def build(actor: Actor, services: Services) -> Page:
        return Workspace(actor, services, worker(services)).page

    return identity.shown(build, actor, services)


def _worker_maker() -> Callable[[Services], Work]:
    """The queue of the worker; imported before anybody is waited for, since it is heavy."""
    from coachops.jobs import Jobs  # noqa: PLC0415 tests bring their own

    return lambda services: Jobs(services.settings, services)
