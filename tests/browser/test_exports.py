"""The page for exports as people meet it: composed, watched, fetched, cancelled; axe, and a phone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import IssuedExport, User
from coachops.export.issued import ExportRequest, Owner, Registry
from tests.browser.test_admin import LAPTOP, PHONE, SignIn, sign_in
from tests.support.suite import PEOPLE, Suite

if TYPE_CHECKING:
    from coachops.db import Database

__all__ = ["sign_in"]
pytestmark = pytest.mark.browser


@pytest.fixture
def database(running_suite: Suite) -> Iterator[Database]:
    opened = running_suite.database()
    with opened.connect(write=True) as connection:
        connection.execute(sa.delete(IssuedExport))
    yield opened
    opened.close()


def owner(database: Database, person: str) -> Owner:
    with database.read() as session:
        user = session.scalars(sa.select(User).where(User.email == PEOPLE[person].email)).one()
        return Owner.of(Actor(user.id, user.role, user.name, user.coach_id))


def one_at_work(database: Database, person: str) -> None:
    """An export that another program makes, so that it stays as it is."""
    row, _ = Registry(database).create(
        owner(database, person), ExportRequest(), place="/nowhere", managed=False, state="running"
    )
    with database.connect(write=True) as connection:
        connection.execute(
            sa.update(IssuedExport)
            .where(IssuedExport.id == row.id)
            .values(
                rows=1_200_000, rows_expected=3_000_000, parts=14, parts_done=6, bytes=2 * 10**8
            )
        )


@pytest.mark.usefixtures("database")
def test_an_export_is_composed_started_watched_and_fetched(sign_in: SignIn) -> None:
    tab = sign_in("admin")
    tab.open("exports", ".ex-ready")
    page = tab.page
    page.wait_for_selector("text=No exports yet")
    assert tab.faults() == []
    page.get_by_role("textbox", name="Clients").fill("client-b2")
    page.get_by_role("button", name="Add the client that is typed in").click()
    page.wait_for_selector(".ex-chip")
    page.get_by_role("button", name="Start the export").click()
    page.wait_for_selector("text=Fetch the files")
    page.get_by_text("Fetch the files").click()
    assert tab.faults() == []
    with page.expect_download() as download:
        page.locator("tr:has(th:text-is('clients')) a").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert [row["external_id"] for row in rows] == ["client-b2"]
    page.get_by_role("button", name="Delete the files").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the files").click()
    page.wait_for_selector("text=Files deleted")
    tab.is_clean()


@pytest.mark.parametrize(
    "viewport", [pytest.param(LAPTOP, marks=pytest.mark.long), PHONE], ids=["laptop", "phone"]
)
def test_one_at_work_and_one_that_failed_read_well_everywhere(
    sign_in: SignIn, database: Database, viewport: dict[str, int]
) -> None:
    one_at_work(database, "admin")
    registry = Registry(database)
    failed, _ = registry.create(
        owner(database, "admin"), ExportRequest(), place="s3://bucket/x", state="running"
    )
    registry.fail(failed.id, CoachError("COACH-EXP-050", place="s3://bucket/x", reason="away"))
    tab = sign_in("admin", viewport)
    tab.open("exports", "[role=progressbar]")
    page = tab.page
    assert page.get_by_role("progressbar").get_attribute("aria-valuenow") == "40"
    assert page.get_by_text("part 6 of 14").is_visible()
    assert page.get_by_text("COACH-EXP-050").first.is_visible()
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.faults() == []
    tab.is_clean()


def test_a_coach_sees_no_export_of_others_and_chooses_among_the_own_clients(
    sign_in: SignIn, database: Database
) -> None:
    one_at_work(database, "admin")
    tab = sign_in("coach_b")
    tab.open("exports", ".ex-ready")
    page = tab.page
    page.wait_for_selector("text=No exports yet")
    assert page.get_by_role("textbox", name="Coaches").count() == 0
    page.get_by_role("textbox", name="Clients").fill("client-a1")
    page.get_by_role("button", name="Add the client that is typed in").click()
    page.wait_for_selector("text=There is no client like that")
    tab.is_clean()
