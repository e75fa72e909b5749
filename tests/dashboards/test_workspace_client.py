"""A client's page: the brief, open steps, goals, consents, answers; and what home says of them."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import attention, consent
from coachops.coaching.feedback import feedback_token, record
from coachops.coaching.goals import list_goals
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.dashboards.components import Button, Element, Field
from coachops.dashboards.components_base import Part
from coachops.dashboards.workspace import Workspace, wording
from coachops.db import Database
from coachops.db.models import Consent, Message, Transcript
from tests.support.workspace import Desk, choose, everything, page_text, press, shown_field


@pytest.fixture
def desk(settings: Settings, sqlite_database: Database) -> Desk:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Desk(Services(settings, sqlite_database))


@pytest.fixture
def workspace(desk: Desk) -> Workspace:
    desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    made = desk.workspace("AC-101")
    made.client(desk.client_id("CL-201"))
    return made


def test_before_the_next_session_the_coach_reads_what_was_and_what_is_open(
    workspace: Workspace,
) -> None:
    text = page_text(workspace)
    assert "Before you meet" in text
    assert "Daniel Osei promised" in text


def test_a_promise_is_marked_as_done(desk: Desk, workspace: Workspace) -> None:
    client_id = desk.client_id("CL-201")
    before = attention.open_commitments(desk.database, workspace.actor)[client_id]
    choose(workspace, "done", "promised")
    assert attention.open_commitments(desk.database, workspace.actor).get(client_id, 0) < before
    choose(workspace, "dropped", "promised")


def test_a_goal_is_added_rated_and_closed(desk: Desk, workspace: Workspace) -> None:
    client_id = desk.client_id("CL-201")
    shown_field(workspace, "What is the goal?").type_in("Delegates the weekly report")
    for field in everything(workspace, Field):
        if "expected" in field.label.lower():
            field.type_in(f"Level: {field.label[:2]}")
    press(workspace, "Add the goal")
    (goal,) = list_goals(desk.database, workspace.actor, client_id)
    assert goal.levels[-2] == "Level: -2"
    assert "Delegates the weekly report" in page_text(workspace)

    for level, day in ((-1, "2026-10-01"), (1, "2026-11-01")):
        shown_field(workspace, "Where does it stand?").data = level
        shown_field(workspace, "On which day?").type_in(day)
        press(workspace, "Save the rating")
    (goal,) = list_goals(desk.database, workspace.actor, client_id)
    assert [r.level for r in goal.ratings] == [-1, 1]
    assert "How it went" in page_text(workspace)
    press(workspace, "Reached")
    assert "Closed goals (1)" in page_text(workspace)


def test_a_goal_without_all_levels_is_refused_and_nothing_is_written(
    desk: Desk, workspace: Workspace
) -> None:
    shown_field(workspace, "What is the goal?").type_in("Half a goal")
    press(workspace, "Add the goal")
    assert "COACH-CCH-005" in page_text(workspace)
    assert list_goals(desk.database, workspace.actor, desk.client_id("CL-201")) == []


def test_a_consent_is_withdrawn_and_given_again_with_a_note(
    desk: Desk, workspace: Workspace
) -> None:
    client_id = desk.client_id("CL-201")
    notes = [f for f in everything(workspace, Field) if f.label == "Note"]
    notes[0].type_in("by telephone")
    next(b for b in everything(workspace, Button) if b.label == "Withdraw").click()
    with desk.database.read() as session:
        assert not consent.current(session, client_id)["processing"]
        newest = session.scalars(sa.select(Consent).order_by(Consent.recorded_at.desc())).first()
        assert newest is not None
        assert newest.note == "by telephone"


def test_a_consent_shows_as_recorded_where_the_analyses_cannot_be_queued(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coachops.core.actor import SYSTEM

    client_id = desk.client_id("CL-201")
    consent.record(desk.database, SYSTEM, client_id, "processing", granted=False)
    desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    workspace = desk.workspace("AC-101")
    workspace.client(client_id)

    def away(*_: object) -> None:
        raise CoachError("COACH-JOB-003", reason="away")

    monkeypatch.setattr(workspace.work, "enqueue_pipeline", away)
    title = wording.CONSENTS["processing"][0]
    press(workspace, "Daniel Osei has agreed", title)
    group = next(
        e for e in everything(workspace, Element) if e.attributes.get("aria-label") == title
    )
    assert "Given" in group.text()
    assert "Not given" not in group.text()
    assert "COACH-JOB-003" in page_text(workspace)


def test_the_reader_stays_in_the_card_whose_buttons_were_drawn_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[str] = []
    monkeypatch.setattr(Part, "focus", lambda part: went.append(part.text()))
    next(b for b in everything(workspace, Button) if b.label == "Withdraw").click()
    assert went == ["Consent"]


def test_what_waited_for_consent_is_analysed_when_it_is_given(desk: Desk) -> None:
    client_id = desk.client_id("CL-201")
    from coachops.core.actor import SYSTEM

    consent.record(desk.database, SYSTEM, client_id, "processing", granted=False)
    transcript_id = desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    workspace = desk.workspace("AC-101")
    workspace.client(client_id)
    press(workspace, "Daniel Osei has agreed", wording.CONSENTS["processing"][0])
    with desk.database.read() as session:
        assert session.get_one(Transcript, transcript_id).state == "analysed"


def test_the_clients_answers_are_shown(desk: Desk, workspace: Workspace) -> None:
    workspace.session(_only(desk, Transcript), "follow-up")
    press(workspace, "Approve and send")
    secret = desk.services.secret("feedback")
    token = feedback_token(secret, _only(desk, Message))
    record(desk.database, secret, token, 4, "How to say no <b>kindly</b>")
    workspace.client(desk.client_id("CL-201"))
    assert "4 of 5" in page_text(workspace)
    assert "&lt;b&gt;kindly" in "".join(e.content for e in everything(workspace, Element))


def test_home_finds_clients_by_name(desk: Desk) -> None:
    workspace = desk.workspace("AC-104")
    assert "Aisha Karim" in workspace.page.text()
    workspace.client(desk.client_id("CL-207"))
    choose(workspace, "back", "Home")
    assert "Good " in workspace.page.text()


def test_work_that_does_not_move_is_shown_after_a_while(desk: Desk) -> None:
    desk.work.held = True
    desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    actor = desk.actor("AC-101")
    assert attention.needs(desk.database, actor) == []
    with clock.frozen(clock.now() + dt.timedelta(minutes=11)):
        (need,) = attention.needs(desk.database, actor)
    assert need.kind == "stuck"


def test_needs_and_states_of_others_are_not_told(desk: Desk) -> None:
    transcript_id = desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    actor = desk.actor("AC-101")
    assert attention.needs(desk.database, actor) == []
    assert attention.transcript_states(desk.database, actor, [transcript_id]) == {}
    assert attention.progress(desk.database, actor, transcript_id) is None
    assert attention.open_commitments(desk.database, actor) == {}


def test_the_help_names_the_guide_page(desk: Desk) -> None:
    workspace = desk.workspace("AC-101")
    press(workspace, "Help")
    assert "When something failed" in workspace.page.text()
    html = "".join(e.content for e in everything(workspace, Element))
    assert "/guide/how-to/when-something-fails/" in html


@pytest.mark.parametrize(
    ("hour", "words"), [(7, "Good morning"), (13, "Good afternoon"), (22, "Good evening")]
)
def test_the_greeting_knows_the_time_of_day(hour: int, words: str) -> None:
    at = dt.datetime(2026, 11, 23, hour, tzinfo=clock.UTC)
    assert wording.greeting(at, "Ada Lovelace") == f"{words}, Ada"


def _only(desk: Desk, table: type) -> uuid.UUID:
    with desk.database.read() as session:
        return session.scalars(sa.select(table.id)).one()  # type: ignore[attr-defined]
