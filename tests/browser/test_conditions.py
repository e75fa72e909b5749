"""An open page while the database's primary is killed: it says so, keeps what is typed, and goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_pair import PostgresPair
from tests.support.suite import PEOPLE, Suite, new_context, require_chromium, start_suite

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.postgres]
NOTE = "You can read everything, but nothing can be saved at the moment"
WORDS = "She will ask Sam on Tuesday. An hour of notes."
SIZES = ((1280, 800), (390, 844))


def sign_in(chromium: Browser, suite: Suite, size: tuple[int, int]) -> Page:
    """Coach Anna's workspace in a window of that size."""
    page = new_context(
        chromium, viewport={"width": size[0], "height": size[1]}, locale="en-GB"
    ).new_page()
    person = PEOPLE["coach_a"]
    page.goto(f"{suite.url}/login")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("h1:has-text('Good ')")
    return page


def faults(page: Page) -> list[str]:
    """What axe finds on the page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    return [violation["id"] for violation in Axe().run(page).response["violations"]]


@pytest.mark.long
@pytest.mark.faults(6)
def test_an_open_page_survives_the_loss_of_the_primary(
    postgres_pair: PostgresPair, chromium: Browser, tmp_path: Path
) -> None:
    require_chromium()
    url = postgres_pair.url(postgres_pair.create("template_coachops"))
    with start_suite(tmp_path / "home", url) as suite:
        pages = [sign_in(chromium, suite, size) for size in SIZES]
        for page in pages:
            page.get_by_role("button", name="Write notes").first.click()
            page.locator("textarea:visible").wait_for()
            page.locator("select:visible").select_option(label="Name client-a1")
            page.locator("textarea:visible").fill(WORDS)
        postgres_pair.kill_primary()
        for page, size in zip(pages, SIZES, strict=True):
            page.get_by_text(NOTE).wait_for()  # nobody has loaded the page again
            save = page.get_by_role("button", name="Save and analyse")
            save.wait_for()
            assert save.get_attribute("aria-disabled") == "true"
            assert page.locator("textarea:visible").input_value() == WORDS
            assert faults(page) == []
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size[0]
            _picture(page, f"read-only-{size[0]}")
        postgres_pair.promote()
        for page in pages:
            page.get_by_text(NOTE).wait_for(state="detached")
            assert page.locator("textarea:visible").input_value() == WORDS
        page = pages[0]
        page.get_by_role("button", name="Save and analyse").click()
        page.get_by_text("Imported").or_(page.get_by_text("Analysed")).first.wait_for()
        for page in pages:
            page.context.close()


def _picture(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    folder = os.environ.get("PICTURES_TO")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png")
