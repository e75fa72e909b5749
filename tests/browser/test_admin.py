"""The admin pages as people meet them: real processes, real Chromium, axe, and nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coachops.coaching.importing import import_transcript
from coachops.core.actor import SYSTEM
from tests.support.patience import PAGE
from tests.support.suite import PASSWORD, PEOPLE, Suite, new_context, sign_in_quietly

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "10-work-life-boundaries.txt"
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@dataclass
class Tab:
    """A signed-in person's tab, with all that the browser complained about."""

    page: Page
    suite: Suite
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self, name: str, until: str) -> None:
        """Open a page and wait until a part of it is there."""
        self.page.goto(f"{self.suite.url}/app/{name}")
        self.page.wait_for_selector(until)

    def faults(self) -> list[str]:
        """What axe finds on the page as it is now: rule and place."""
        from axe_playwright_python.sync_playwright import Axe

        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {node['target']}" for v in found for node in v["nodes"]]

    def is_clean(self) -> None:
        """Nothing was fetched from elsewhere, nothing failed, nothing sticks out sideways."""
        assert self.strangers == []
        assert self.complaints == []
        too_wide = "document.documentElement.scrollWidth - window.innerWidth"
        assert self.page.evaluate(too_wide) <= 0


SignIn = Callable[..., Tab]


@pytest.fixture
def sign_in(running_suite: Suite, chromium: Browser) -> Iterator[SignIn]:
    """Signs a person in: `sign_in("admin", viewport=PHONE)`."""
    contexts: list[BrowserContext] = []

    def sign(person: str, viewport: dict[str, int] = LAPTOP) -> Tab:
        context = new_context(
            chromium,
            viewport={"width": viewport["width"], "height": viewport["height"]},
            locale="en-GB",
        )
        contexts.append(context)
        page = context.new_page()
        tab = Tab(page, running_suite)
        page.on("console", lambda m: tab.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: tab.complaints.append(str(e)))
        page.on("request", lambda r: _note(tab, r.url))
        page.goto(f"{running_suite.url}/login")
        sign_in_quietly(page, running_suite, PEOPLE[person].email)
        return tab

    yield sign
    for context in contexts:
        context.close()


def _note(tab: Tab, url: str) -> None:
    if not url.startswith((tab.suite.url, "data:", "blob:")):
        tab.strangers.append(url)


@pytest.fixture(scope="module")
def with_a_transcript(running_suite: Suite) -> None:
    """A transcript of today, so that there are figures."""
    database = running_suite.database()
    import_transcript(
        database, SYSTEM, SAMPLE.read_bytes(), SAMPLE.name, coach="coach_b", client="client-b2"
    )
    database.close()


@pytest.mark.usefixtures("with_a_transcript")
@pytest.mark.parametrize(
    "viewport", [pytest.param(LAPTOP, marks=pytest.mark.long), PHONE], ids=["laptop", "phone"]
)
def test_an_admin_sees_the_overview_with_its_charts(
    sign_in: SignIn, viewport: dict[str, int]
) -> None:
    tab = sign_in("admin", viewport)
    tab.open("overview", ".ov-tile")
    tab.page.wait_for_selector(".co-chart canvas")
    assert tab.page.locator("h1").inner_text() == "Overview"
    tab.page.wait_for_function(  # the first one is drawn
        "() => { const c = document.querySelector('.co-chart canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return d.some(v => v !== 0); }"
    )
    assert tab.faults() == []
    # everything that opens is opened: hidden tables and definitions count, too
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.faults() == []
    tab.is_clean()


@pytest.mark.usefixtures("with_a_transcript")
def test_an_open_definition_and_the_focus_survive_a_refresh(sign_in: SignIn) -> None:
    tab = sign_in("admin")
    tab.open("overview", ".ov-tile")
    page = tab.page
    summary = page.locator(".ov-tile summary").first
    summary.focus()
    page.keyboard.press("Enter")
    before = page.locator(".ov-fresh").inner_text()
    page.wait_for_function(
        "before => document.querySelector('.ov-fresh').innerText !== before", arg=before
    )  # fmt: skip
    assert page.locator(".ov-tile details").first.get_attribute("open") is not None
    assert summary.evaluate("e => e === document.activeElement")
    page.get_by_label("Period").select_option(label="Last 4 weeks")
    page.wait_for_selector("text=in 4 weeks")
    tab.is_clean()


def test_an_admin_invites_somebody_who_comes_in_by_the_link(
    sign_in: SignIn, chromium: Browser, running_suite: Suite
) -> None:
    tab = sign_in("admin")
    tab.open("users", ".us-ready table")
    page = tab.page
    assert tab.faults() == []
    page.get_by_label("E-mail").fill("nora@example.org")
    page.get_by_label("Name", exact=True).fill("Nora New")
    invite = page.get_by_role("button", name="Invite")
    pressed = invite.element_handle()
    page.get_by_label("Role").select_option(label="Analyst: reads all figures, changes nothing")
    # without this field what stands below it moves up
    page.get_by_label("Which coach is it?").wait_for(state="detached")
    assert pressed.evaluate("node => node.isConnected")  # the button is the one that was there
    invite.click()
    page.wait_for_selector(".ov-link input")
    assert tab.faults() == []
    link = page.locator(".ov-link input").input_value()
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("text=Copied.")

    page.get_by_role("button", name="Manage Nora New").click()
    page.wait_for_selector(".us-card h2:has-text('Nora New')")
    assert page.locator(".ov-link").count() == 0  # shown once
    assert tab.faults() == []
    tab.is_clean()

    other = new_context(chromium)
    guest = other.new_page()
    guest.goto(link)
    for box in guest.locator("input[type=password]").all():
        box.fill(PASSWORD)
    guest.locator("main button[type=submit], form button[type=submit]").first.click()
    guest.wait_for_url(lambda url: "/link/" not in url)
    assert other.request.get(f"{running_suite.url}/app/overview", timeout=PAGE).status == 200
    assert other.request.get(f"{running_suite.url}/app/users", timeout=PAGE).status == 403
    other.close()


@pytest.mark.parametrize("name", ["overview", "users"])
def test_a_coach_is_refused_the_admin_pages(sign_in: SignIn, name: str) -> None:
    tab = sign_in("coach_b")
    answer = tab.page.goto(f"{tab.suite.url}/app/{name}")
    assert answer is not None
    assert answer.status == 403
    assert "COACH-IDN-003" in tab.page.inner_text("body")
    assert tab.faults() == []
    assert tab.strangers == []
