"""The workspace as a coach meets it: real processes, real Chromium, from the file to the e-mail."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.suite import PEOPLE, Suite, new_context

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "11-new-manager.vtt"
CLIENT = "Name client-a1"


@dataclass
class Desk:
    """A signed-in coach's tab, with all that the browser complained about."""

    page: Page
    suite: Suite
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Open the workspace and wait until it lives."""
        self.page.goto(f"{self.suite.url}/app/workspace")
        self.page.wait_for_selector("h1:has-text('Good ')")

    def faults(self) -> list[str]:
        """What axe finds on the page as it is now: rule and place."""
        from axe_playwright_python.sync_playwright import Axe

        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {node['target']}" for v in found for node in v["nodes"]]


@pytest.fixture
def desk(running_suite: Suite, chromium: Browser) -> Iterator[Desk]:
    """Coach Anna, signed in through the form, on a laptop."""
    context = new_context(chromium, viewport={"width": 1280, "height": 800}, locale="en-GB")
    page = context.new_page()
    made = Desk(page, running_suite)
    page.on("console", lambda m: made.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: made.complaints.append(str(e)))
    page.on(
        "request",
        lambda r: (
            None
            if r.url.startswith((running_suite.url, "data:", "blob:"))
            else made.strangers.append(r.url)
        ),
    )
    person = PEOPLE["coach_a"]
    page.goto(f"{running_suite.url}/login")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app/workspace")
    page.wait_for_selector("h1:has-text('Good ')")
    yield made
    context.close()


def outbox(suite: Suite) -> list[EmailMessage]:
    files = sorted((suite.home / "outbox").glob("*.eml"))
    return [email.message_from_bytes(f.read_bytes(), policy=default) for f in files]  # type: ignore[misc]


def test_a_coach_uploads_reads_approves_and_sends(desk: Desk) -> None:
    page = desk.page
    assert desk.faults() == []
    page.get_by_role("button", name="Upload sessions").click()
    page.get_by_label("Client", exact=True).first.select_option(label=CLIENT)
    page.set_input_files("input[type=file]", str(SAMPLE))
    page.wait_for_selector("text=What became of them")
    assert desk.faults() == []

    # the file names two people whom the roster of this suite does not know
    page.get_by_role("button", name="Confirm speakers").click()
    page.get_by_role("button", name="Yes, that is right").click()
    page.wait_for_selector("h2:has-text('Summary')")
    assert desk.faults() == []

    chip = page.locator(".co-chip").first
    position = chip.get_attribute("data-jump")
    chip.click()
    target = page.locator(f".co-utterance-target[data-position='{position}']")
    target.wait_for()
    assert target.evaluate("e => e === document.activeElement")

    for tab in ("Next steps", "Corrections", "How it was made", "Follow-up"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_selector(f"[role=tab][aria-selected=true]:has-text('{tab}')")
        assert desk.faults() == [], tab

    assert outbox(desk.suite) == []
    page.get_by_role("button", name="Approve and send").click()
    assert "client-a1@example.org" in page.locator("dialog").inner_text()
    page.get_by_role("button", name=f"Send to {CLIENT}").click()
    page.wait_for_selector(f"text=It went to {CLIENT}")
    (letter,) = outbox(desk.suite)
    assert letter["To"].addresses[0].addr_spec == "client-a1@example.org"

    assert desk.complaints == []
    assert desk.strangers == []


def test_keyboard_alone_reaches_a_client_and_the_way_back(desk: Desk) -> None:
    page = desk.page
    page.locator("body").press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    row = page.get_by_role("list", name="My clients").get_by_role("button", name=CLIENT)
    row.focus()
    row.press("Enter")
    page.wait_for_selector(f"h1:has-text('{CLIENT}')")
    # the focus stands at the start of the new view, and the next stop is the way back
    page.wait_for_function("document.activeElement.matches('[data-focus]')")
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.matches('.ws-crumb')")
    assert desk.faults() == []
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Good ')")


def test_no_view_is_wider_than_a_phone(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": 390, "height": 844})

    def overflow() -> int:
        return int(
            page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    assert overflow() == 0
    page.get_by_role("list", name="My clients").get_by_role("button", name=CLIENT).click()
    page.wait_for_selector("h2:has-text('Consent')")
    assert overflow() == 0
    page.get_by_role("button", name="Write notes").click()
    page.wait_for_selector("text=Notes instead of a recording")
    assert overflow() == 0
    page.get_by_role("button", name="Help").click()
    page.wait_for_selector("h1:has-text('When something failed')")
    assert overflow() == 0
    assert desk.faults() == []
