"""Background work steered by clicks: what failed is tried again, what waits is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coachops.bootstrap import services as open_services
from coachops.coaching.importing import import_transcript
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.jobs import Jobs
from coachops.jobs.ids import pipeline_id
from tests.support.suite import PEOPLE, Suite, new_context, sign_in_quietly

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "10-work-life-boundaries.txt"
pytestmark = pytest.mark.browser
CARD = ".co-card:has(h2:text-is('Background work'))"


@pytest.fixture
def jobs(running_suite: Suite) -> Iterator[Jobs]:
    services = open_services(
        load_settings(home=running_suite.home, database_url=running_suite.database_url)
    )
    # where there is no transcript yet, the overview shows the first steps instead
    import_transcript(
        services.database, SYSTEM, SAMPLE.read_bytes(), SAMPLE.name,
        coach="coach_b", client="client-b2",
    )  # fmt: skip
    with Jobs(services.settings, services) as jobs:
        yield jobs
    services.close()


@pytest.fixture
def overview(running_suite: Suite, chromium: Browser) -> Iterator[Callable[[dict[str, int]], Page]]:
    """The overview as the admin sees it."""
    contexts = []

    def opened(viewport: dict[str, int]) -> Page:
        context = new_context(
            chromium,
            viewport={"width": viewport["width"], "height": viewport["height"]},
            locale="en-GB",
        )
        contexts.append(context)
        page = context.new_page()
        sign_in_quietly(page, running_suite, PEOPLE["admin"].email)
        page.goto(f"{running_suite.url}/app/overview")
        page.wait_for_selector(CARD)
        return page

    yield opened
    for context in contexts:
        context.close()


def test_an_admin_tries_again_cancels_and_runs_a_report_by_clicks(
    jobs: Jobs, overview: Callable[[dict[str, int]], Page]
) -> None:
    failed, put_off = ids.new_id(), ids.new_id()
    jobs.wait_for([jobs.enqueue_pipeline(failed)])  # there is no such transcript
    waiting = jobs.queue.enqueue_as(
        pipeline_id(put_off, 1), str(put_off), "auto", delay_seconds=3600
    )
    page = overview({"width": 1280, "height": 800})
    card = page.locator(CARD)
    card.get_by_text("COACH-CCH-001").first.wait_for()
    assert "begins" in card.inner_text()
    row = card.locator("tr", has_text=f"{failed}"[-4:])
    row.get_by_role("button", name="Try again").click()
    card.get_by_text("It was put into the queue again.").wait_for()
    assert jobs.wait_for([f"pipeline/{failed}/2"])[0].error_code == "COACH-CCH-001"
    row = card.locator("tr", has_text=f"{put_off}"[-4:])
    row.get_by_role("button", name="Cancel").click()
    card.get_by_text("Cancel this work?").wait_for()
    card.get_by_role("button", name="Cancel the work").click()
    card.get_by_text("It was cancelled.").wait_for()
    assert jobs.get(waiting).state == "cancelled"
    card.get_by_role("button", name="Run 'Weekly operations' now").click()
    card.get_by_text("'Weekly operations' was put into the queue").wait_for()
    (report,) = jobs.list_jobs(kind="report", limit=1)
    assert report.created_at > jobs.get(waiting).created_at
    too_wide = "document.documentElement.scrollWidth - window.innerWidth"
    phone = overview({"width": 390, "height": 844})
    for shown in (page, phone):
        assert shown.evaluate(too_wide) <= 0
