"""The coach workspace on a real database: people of the sample roster, and work done at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import analysis, messages
from coachops.coaching.importing import import_transcript
from coachops.coaching.roster import import_roster
from coachops.core.actor import SYSTEM, Actor
from coachops.dashboards.components import Button, Element, Field, Tabs
from coachops.dashboards.workspace import Workspace
from coachops.dashboards.workspace.parts import Choices
from coachops.db.models import Client, Coach, User

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


class InlineWork:
    """Does at once what the worker does soon: the same capabilities in the same order.

    Attributes:
        held: True keeps the work back until `run`, as a worker that is busy.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.held = False
        self._waiting: list[Callable[[], object]] = []

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> None:
        self._take(lambda: self._pipeline(transcript_id))

    def enqueue_send(self, message_id: uuid.UUID) -> None:
        self._take(lambda: self._send(message_id))

    def run(self) -> None:
        """Do what was kept back."""
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()

    def _take(self, work: Callable[[], object]) -> None:
        self._waiting.append(work)
        if not self.held:
            self.run()

    def _pipeline(self, transcript_id: uuid.UUID) -> None:
        services = self._services
        outcome = analysis.analyse(
            services.database, services.gateway, SYSTEM, transcript_id, "local"
        )
        if outcome.analysis_id is not None:
            messages.draft(services.database, SYSTEM, transcript_id)

    def _send(self, message_id: uuid.UUID) -> None:
        services = self._services
        head = messages.letterhead_for(services.settings, services.secret("feedback"))
        messages.claim_and_send(services.database, services.mailer, message_id, head)


class Desk:
    """A coach's desk: the organisation of `samples/roster.csv`, and the workspace of one coach."""

    def __init__(self, services: Services) -> None:
        self.services, self.database = services, services.database
        import_roster(self.database, SYSTEM, (SAMPLES / "roster.csv").read_bytes())
        self.work = InlineWork(services)

    def actor(self, coach: str = "AC-101") -> Actor:
        """The coach with this external id."""
        with self.database.read() as session:
            found = session.scalars(sa.select(Coach).where(Coach.external_id == coach)).one()
            user = session.scalar(sa.select(User.id).where(User.coach_id == found.id))
            return Actor(user, "coach", found.name, found.id)

    def workspace(self, coach: str = "AC-101") -> Workspace:
        """The page of that coach."""
        return Workspace(self.actor(coach), self.services, self.work)

    def client_id(self, external_id: str) -> uuid.UUID:
        """The id of a client."""
        with self.database.read() as session:
            return session.scalars(
                sa.select(Client.id).where(Client.external_id == external_id)
            ).one()

    def take_in(self, file: str, coach: str, client: str) -> uuid.UUID:
        """Import a sample without having it analysed; the id of its transcript."""
        data = (SAMPLES / file).read_bytes()
        return import_transcript(
            self.database, SYSTEM, data, file, coach=coach, client=client
        ).transcript_id

    def analysed(self, file: str, coach: str, client: str) -> uuid.UUID:
        """Import a sample and have it analysed; the id of its transcript."""
        transcript_id = self.take_in(file, coach, client)
        self.work.enqueue_pipeline(transcript_id)
        return transcript_id


def shown_button(workspace: Workspace, label: str, description: str = "") -> Button:
    """The one button on the page with this label."""
    found = [
        each
        for each in everything(workspace, Button)
        if each.label == label and description in each.description
    ]
    assert len(found) == 1, f"{len(found)} buttons {label!r}: {[b.label for b in found]}"
    button: Button = found[0]
    return button


def press(workspace: Workspace, label: str, description: str = "") -> None:
    """Click the one button with this label; in a dialog, the answer is yes."""
    shown_button(workspace, label, description).click()


def shown_field(workspace: Workspace, label: str) -> Any:
    """The one input on the page with this label."""
    found = [each for each in everything(workspace, Field) if each.label == label]
    assert len(found) == 1, f"{len(found)} inputs {label!r}"
    return found[0]


def choose(workspace: Workspace, name: str, text: str = "") -> None:
    """Click the first button `name` within the HTML of the page, in a part that shows `text`."""
    for each in everything(workspace, Choices):
        for offered, value in each.offers:
            if offered == name and text in each.text():
                each.choose(offered, value)
                return
    raise AssertionError(f"no button {name!r} near {text!r}")


def everything(workspace: Workspace, kind: type[Any]) -> list[Any]:
    """All widgets of a class that the page shows, panels of tabs included."""
    found: list[Any] = []

    def walk(widget: Any) -> None:
        if isinstance(widget, kind):
            found.append(widget)
        if isinstance(widget, Element):
            for name in list(widget._children):
                for child in widget.slot(name):
                    walk(child)
        elif isinstance(widget, Tabs):
            for group in widget.children:
                for child in group:
                    walk(child)

    walk(workspace.page)
    return found


def page_text(workspace: Workspace) -> str:
    """All that the page says, panels of tabs included."""
    panels = [
        child.text() for tabs in everything(workspace, Tabs) for group in tabs.children
        for child in group
    ]  # fmt: skip
    return " ".join([workspace.page.text(), *panels])
