"""What pages say on top while something is out of order, and the buttons that wait meanwhile."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.settings import Settings, load_settings
from coachops.dashboards import overview, users
from coachops.dashboards.components import Button, Page, hold_changes
from coachops.dashboards.conditions import HELD, LOOK_SECONDS, Conditions, attach
from coachops.dashboards.workspace.page import page as workspace_page
from coachops.db import Database
from coachops.db.models import AiCircuit, Analysis
from coachops.jobs import heartbeat
from tests.support.postgres_pair import PostgresPair
from tests.support.workspace import Desk, press, shown_button, shown_field

SAMPLE = ("01-delegation.vtt", "AC-101", "CL-201")


@pytest.fixture
def desk(settings: Settings, sqlite_database: Database) -> Desk:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Desk(Services(settings, sqlite_database))


def notes(page: Page) -> list[str]:
    """The titles of the notes on top."""
    conditions = page.conditions
    assert isinstance(conditions, Conditions)
    return [each.title for each in conditions.shown]


def look(page: Page, times: int = 1) -> None:
    """What the open page does by itself every few seconds."""
    conditions = page.conditions
    assert isinstance(conditions, Conditions)
    (ticker,) = [w for w in page.slot("conditions") if getattr(w, "every", None) == LOOK_SECONDS]
    for _ in range(times):
        ticker.receive({"event": "tick"})


def test_a_worker_that_is_away_is_told_and_the_note_goes_by_itself(desk: Desk) -> None:
    page = workspace_page(desk.actor(), desk.services, desk.work)
    assert notes(page) == ["Nothing is being analysed or sent at the moment"]
    assert "goes on by itself" in page.text()
    assert not any(button.held for button in page.find(Button))
    now = clock.now()
    with clock.frozen(now):
        heartbeat.beat(desk.database, "worker-1", starting=True)
        look(page)
        assert notes(page) == []
    with clock.frozen(now + dt.timedelta(minutes=1)):
        look(page, 6)
        assert notes(page) == ["Nothing is being analysed or sent at the moment"]


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("COACH-AI-001", "The AI service does not answer at the moment"),
        ("COACH-AI-002", "The AI service does not accept our requests"),
    ],
)
def test_an_ai_service_that_rests_is_told_to_coaches(
    desk: Desk, sqlite_database: Database, code: str, title: str
) -> None:
    settings = load_settings(
        home=desk.services.settings.home, database_url=sqlite_database.url, openai_api_key="k"
    )
    services = Services(settings, sqlite_database)
    from coachops.ai.targets import chain

    with clock.frozen(clock.now()):
        heartbeat.beat(desk.database, "worker-1", starting=True)
        with sqlite_database.write() as session:
            session.add(
                AiCircuit(
                    target=chain(settings)[0].name, failures=9, opened_at=clock.now(),
                    rest_seconds=60.0, last_code=code, updated_at=clock.now(),
                )
            )  # fmt: skip
        page = workspace_page(desk.actor(), services, desk.work)
        assert notes(page) == [title]
    assert "own computers" in page.text()


def test_every_page_has_the_notes(desk: Desk) -> None:
    admin = Actor(ids.new_id(), "admin", "Ops")
    for page in (
        workspace_page(desk.actor(), desk.services, desk.work),
        overview.page(admin, desk.services),
        users.page(admin, desk.services),
    ):
        assert notes(page) == ["Nothing is being analysed or sent at the moment"]


def test_new_buttons_wait_too_and_all_go_on_together(desk: Desk) -> None:
    transcript_id = desk.analysed(*SAMPLE)
    try:
        hold_changes(HELD)
        workspace = desk.workspace()
        workspace.session(transcript_id, "follow-up")
        send = shown_button(workspace, "Approve and send")
        press(workspace, "Edit")  # looking and typing go on
        assert shown_button(workspace, "Save").held == HELD
        press(workspace, "Save")
        press(workspace, "Cancel")
        assert send.held == HELD
        hold_changes("")
        assert not shown_button(workspace, "Approve and send").held
        press(workspace, "Approve and send")
    finally:
        hold_changes("")
    with desk.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Analysis)) == 1
    (letter,) = messages.list_messages(desk.database, desk.actor())
    assert letter.state == "sent"


@pytest.mark.postgres
@pytest.mark.faults(6)
def test_while_no_server_takes_writes_a_page_reads_on_and_keeps_what_is_typed(
    postgres_pair: PostgresPair, settings: Settings
) -> None:
    """The real thing: the primary is killed while a coach writes, then the standby is promoted."""
    settings.home.mkdir(parents=True, exist_ok=True)
    url = postgres_pair.url(postgres_pair.create("template_coachops"))
    database = Database(url)
    frozen = contextlib.ExitStack()
    try:
        desk = Desk(Services(load_settings(home=settings.home, database_url=url), database))
        transcript_id = desk.analysed(*SAMPLE)
        frozen.enter_context(clock.frozen(clock.now()))  # its sign of life stays fresh
        heartbeat.beat(database, "worker-1", starting=True)
        workspace = desk.workspace()
        page = workspace.page
        attach(page, desk.services)
        workspace.session(transcript_id, "follow-up")
        assert notes(page) == []
        press(workspace, "Edit")
        shown_field(workspace, "Text").type_in("My own words, an hour of work.")

        postgres_pair.kill_primary()
        postgres_pair.standby.wait_until(lambda: database.state().mode == "read_only")
        look(page)
        assert notes(page) == ["You can read everything, but nothing can be saved at the moment"]
        assert "COACH-DB-007" in page.text()
        assert shown_button(workspace, "Save").held == HELD
        press(workspace, "Save")  # it waits: nothing happens, nothing is lost
        assert shown_field(workspace, "Text").data == "My own words, an hour of work."
        workspace.client(desk.client_id(SAMPLE[2]))  # reading goes on
        assert "Before you meet" in page.text()
        workspace.session(transcript_id, "follow-up")
        press(workspace, "Edit")
        shown_field(workspace, "Text").type_in("My own words, an hour of work.")

        postgres_pair.promote()
        postgres_pair.primary.wait_until(lambda: database.state().writable)
        look(page)
        assert notes(page) == []
        press(workspace, "Save")
        (letter,) = messages.list_messages(database, desk.actor())
        assert letter.body == "My own words, an hour of work.\n"
    finally:
        frozen.close()
        hold_changes("")
        database.close()
