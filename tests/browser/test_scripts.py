"""Names and texts that are scripts: shown letter by letter on every page, and never run."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.bootstrap.secrets import secret_file
from coachops.coaching.analysis import analyse
from coachops.coaching.feedback import feedback_token
from coachops.coaching.goals import LEVELS, add_goal
from coachops.coaching.importing import import_transcript
from coachops.coaching.messages import approve, draft, edit, letterhead_for, preview
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import Client, Coach, Consent, Engagement, Message, Transcript
from coachops.identity import Identity
from tests.support.suite import PASSWORD, PEOPLE, Suite, new_context, sign_in_quietly

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.faults(36)]
TAG = "<script>window.ran=1</script>"
IMAGE = "<img src=x onerror=window.ran=2>"
SVG = '"><svg onload=window.ran=3>'
EMAIL = "mallory@example.org"


@dataclass
class Planted:
    """A coach whose every text is a script, in the running suite."""

    suite: Suite
    actor: Actor
    feedback: str
    letter: str


@pytest.fixture(scope="module")
def planted(running_suite: Suite) -> Iterator[Planted]:
    database = running_suite.database()
    settings = load_settings(home=running_suite.home, database_url=running_suite.database_url)
    with database.write() as session:
        coach = Coach(external_id=TAG, name=f"Mal {TAG}", email=EMAIL)
        client = Client(external_id=IMAGE, name=f"Kim {IMAGE}", email="kim@example.org")
        session.add_all([coach, client])
        session.flush()
        session.add(
            Engagement(
                external_id=SVG, coach_id=coach.id, client_id=client.id, title=TAG,
                started_on=clock.today(),
            )
        )  # fmt: skip
        session.add(
            Consent(
                client_id=client.id, kind="processing", granted=True, recorded_at=clock.now(),
                note=TAG,
            )
        )  # fmt: skip
        client_id = client.id
    identity = Identity(database, b"unused", 12)
    user = identity.add_user(SYSTEM, EMAIL, f"Mal {TAG}", "coach", password=PASSWORD)
    actor = Actor(user.id, "coach", user.name, user.coach_id)
    add_goal(database, actor, client_id, IMAGE, {level: f"{SVG} {level}" for level in LEVELS})
    transcript_id = _bring(database, actor, client_id)
    analyse(database, Gateway(settings, database), SYSTEM, transcript_id, "local")
    message = draft(database, actor, transcript_id)
    message = edit(
        database, actor, message.id, message.version, f"About {TAG}", f"Dear {IMAGE}\n\n- {SVG}\n"
    )
    secret = secret_file(running_suite.home, "feedback")
    head = letterhead_for(settings, secret)
    letter = preview(database, actor, message.id, head).html
    approve(database, actor, message.id, message.version)
    with database.write() as session:
        row = session.get_one(Message, message.id)
        row.state, row.sending_at, row.sent_at = "sent", clock.now(), clock.now()
    yield Planted(running_suite, actor, feedback_token(secret, message.id), letter)
    database.close()


def _bring(database: Database, actor: Actor, client_id: uuid.UUID) -> uuid.UUID:
    def act(data: bytes, name: str) -> uuid.UUID:
        return import_transcript(
            database, actor, data, name, coach=str(actor.coach_id), client=str(client_id),
            held_on=dt.date(2026, 11, 2), source="page",
        ).transcript_id  # fmt: skip

    talk = (
        f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Mal>What about {TAG.replace('<', '&lt;')}?\n\n"
        f"00:03.000 --> 00:04.000\n<v Kim>I will write to {IMAGE.replace('<', '&lt;')} by Friday.\n\n"
        f"00:09.000 --> 00:05.000\n<v Kim>{IMAGE}\n"
    )
    with pytest.raises(CoachError):
        act(f"PK\x03\x04{TAG}".encode(), f"{IMAGE}.docx")
    with pytest.raises(CoachError):
        act(f'{{"{IMAGE}": "{TAG}"'.encode(), f"{IMAGE}.json")
    made = act(talk.encode(), f"{TAG.replace('/', '')}.vtt")
    with database.write() as session:
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == made)
            .values(role_state="confirmed", state="imported")
        )
    return made


@pytest.fixture
def visit(planted: Planted, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Signs somebody in and opens a page."""
    contexts = []

    def go(email: str, path: str, ready: str) -> Page:
        context = new_context(chromium, viewport={"width": 1280, "height": 800}, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
        if email:
            sign_in_quietly(page, planted.suite, email)
        page.goto(f"{planted.suite.url}{path}")
        page.wait_for_selector(ready)
        return page

    yield go
    for context in contexts:
        context.close()


def inert(page: Page, *shown: str) -> None:
    """No script of ours ran, no element came out of a text, and the texts can be read."""
    found = page.evaluate(
        """() => ({
          ran: window.ran ?? null,
          elements: document.querySelectorAll('[onerror], [onload], img[src="x"]').length,
          text: document.body.innerText
              + [...document.querySelectorAll('input, textarea')].map((e) => e.value).join(' '),
        })"""
    )
    assert found["ran"] is None
    assert found["elements"] == 0
    for text in shown:
        assert text in found["text"], (text, found["text"][:2000])


def test_the_workspace_shows_scripts_as_text(visit: Callable[..., Page]) -> None:
    page = visit(EMAIL, "/app/workspace", "[aria-label='Recent sessions'] .ws-row")
    inert(page, IMAGE)
    page.locator("[aria-label='Recent sessions'] .ws-row").first.click()
    page.wait_for_selector(".co-utterance")
    inert(page, f"What about {TAG}?", IMAGE)
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(150)
        inert(page)
    page.locator(".ws-crumb").first.click()
    page.wait_for_selector("[aria-label='Recent sessions'] .ws-row")
    page.locator("button:has-text('Kim')").first.click()
    page.wait_for_selector("h1:has-text('Kim')")
    inert(page, f"Kim {IMAGE}")


@pytest.mark.long
@pytest.mark.parametrize("who", [EMAIL, PEOPLE["admin"].email])
def test_the_quarantine_shows_scripts_as_text(visit: Callable[..., Page], who: str) -> None:
    page = visit(who, "/app/quarantine", ".qu-ready table")
    inert(page, f"{IMAGE}.docx", f"Kim {IMAGE}")
    for number in range(page.locator("button:has-text('Look at it')").count()):
        page.locator("button:has-text('Look at it')").nth(number).click()
        page.wait_for_selector("text=What you can do")
        page.wait_for_timeout(200)
        inert(page)


def test_the_pages_of_admins_show_scripts_as_text(visit: Callable[..., Page]) -> None:
    admin = PEOPLE["admin"].email
    inert(visit(admin, "/app/overview", ".co-metric"))
    page = visit(admin, "/app/users", ".us-ready table")
    inert(page, f"Mal {TAG}")
    row = page.locator("tr", has_text=EMAIL)
    row.locator("button").click()
    page.wait_for_selector("text=Signing in")
    inert(page, f"Mal {TAG}")


@pytest.mark.long
def test_the_clients_pages_show_scripts_as_text(
    planted: Planted, visit: Callable[..., Page]
) -> None:
    page = visit("", f"/feedback/{planted.feedback}", "form")
    inert(page, f"Mal {TAG}")
    page.locator("textarea").fill(f"{IMAGE} {TAG}")
    page.locator("input[type=radio]").first.check(force=True)
    page.get_by_role("button").first.click()
    page.wait_for_url("**thanks=true")
    inert(page, IMAGE)


@pytest.mark.long
def test_the_letter_and_the_report_show_scripts_as_text(
    planted: Planted, chromium: Browser, tmp_path: Path
) -> None:
    from coachops.reporting import run_report

    context = new_context(chromium)
    page = context.new_page()
    page.set_content(planted.letter)
    inert(page, f"Dear {IMAGE}", SVG)
    settings = load_settings(
        home=tmp_path, database_url=planted.suite.database_url, organisation=f"Us {TAG}"
    )
    done = run_report(settings, "weekly_operations", {"week_start": "2026-11-02"})
    page.goto(f"file://{done.html_path}")
    inert(page)
    context.close()
