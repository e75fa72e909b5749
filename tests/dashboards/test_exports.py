"""The page for exports, clicked on a real database with the real registry and queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.dashboards import components, exports
from coachops.dashboards.components import Button, Element
from coachops.dashboards.exports import ExportsPage
from coachops.dashboards.exports_item import size
from coachops.db import Database
from coachops.db.models import IssuedExport
from coachops.export import DATASETS
from coachops.export.issued import ExportRequest, Owner
from coachops.jobs import Jobs
from coachops.jobs.exports import SUITE
from tests.coaching.builders import Pair, make_pair, make_transcript


@pytest.fixture(autouse=True)
def _no_banner() -> Iterator[None]:
    yield
    components.report_to(None)


@pytest.fixture
def services(home: Path, sqlite_database: Database) -> Services:
    home.mkdir()
    return Services(load_settings(home=home, database_url=sqlite_database.url), sqlite_database)


@pytest.fixture
def pair(services: Services) -> Pair:
    pair = make_pair(services.database)
    make_transcript(services.database, pair)
    return pair


@pytest.fixture
def admin(services: Services) -> Actor:
    row = services.identity.add_user(SYSTEM, "ada@example.org", "Ada Admin", "admin")
    return Actor(row.id, "admin", row.name)


@pytest.fixture
def jobs(services: Services) -> Iterator[Jobs]:
    with Jobs(services.settings, services) as jobs:
        yield jobs


@pytest.fixture
def shown(admin: Actor, services: Services, jobs: Jobs, pair: Pair) -> ExportsPage:
    return ExportsPage(admin, services, jobs.exports)


def press(part: Element, label: str) -> None:
    found = [b for b in part.find(Button) if b.label == label]
    assert len(found) == 1, [b.label for b in part.find(Button)]
    found[0].click()


def work(jobs: Jobs) -> None:
    waiting = [each for each in jobs.exports.page(SUITE) if each.open]
    jobs.run_inline([jobs.exports.enqueue(each) for each in waiting])


def test_an_empty_page_says_what_to_do(shown: ExportsPage) -> None:
    assert "No exports yet" in shown.page.text()
    assert f"All {len(DATASETS)} tables" in shown.page.text()


def test_what_is_composed_is_asked_for_followed_and_can_be_fetched(
    shown: ExportsPage, jobs: Jobs, pair: Pair
) -> None:
    form = shown.composer
    press(form.widget, "None")
    form.datasets["clients"].type_in(True)
    form.datasets["sessions"].type_in(True)
    form.formats["json"].type_in(True)
    form.since.type_in("2020-01-01")
    form.clients.search.type_in("maya")
    press(form.widget, "Start the export")  # what is only typed in chooses nobody yet
    form.clients.look()
    assert form.clients.ids == [str(pair.client_id)]
    press(form.widget, "Start the export")
    newest, older = jobs.exports.page(SUITE)
    assert newest.request.clients == (str(pair.client_id),)
    assert older.request.clients == ()
    assert (newest.request.datasets, newest.formats) == (("clients", "sessions"), ("csv", "json"))
    assert newest.request.since == "2020-01-01"
    text = shown.page.text()
    assert "No exports yet" not in text
    assert "Waiting" in text
    assert "Nobody works on exports now" in text  # no worker runs in this test
    assert "2 exports under way" in text
    work(jobs)
    shown.refresh()
    text = shown.page.text()
    assert "Ready" in text
    assert "Nobody works on exports now" not in text
    item = shown.items[str(newest.id)]
    files = item.widget._children["body"][3].content
    assert f"/v1/exports/{newest.id}/files/data/clients-0001.csv" in files
    assert f"/v1/exports/{newest.id}/files/manifest.json" in files


def test_progress_is_told_in_rows_parts_and_time(
    shown: ExportsPage, services: Services, admin: Actor
) -> None:
    row, _ = shown.exports.registry.create(
        Owner.of(admin), ExportRequest(), place="/nowhere", managed=False, state="running"
    )
    now = clock.now()
    with services.database.connect(write=True) as connection:
        connection.execute(
            sa.update(IssuedExport).values(
                rows=250, rows_expected=1000, parts=8, parts_done=2, bytes=12_000,
                started_at=now - dt.timedelta(seconds=30),
            )
        )  # fmt: skip
    with clock.frozen(now):
        shown.refresh()
    text = shown.items[str(row.id)].widget.text()
    assert "250 of 1,000 rows, about 90 s to go" in text.replace("2 min", "90 s")
    assert "part 2 of 8, 12 kB" in text
    content = shown.items[str(row.id)].widget._children["body"][1].content
    assert 'aria-valuenow="25"' in content


def test_what_cannot_be_exported_is_said_beside_the_button(shown: ExportsPage) -> None:
    form = shown.composer
    form.since.type_in("2026-05-01")
    form.until.type_in("2026-01-01")
    press(form.widget, "Start the export")
    assert "COACH-EXP-007" in form.messages.text()
    assert shown.items == {}
    form.until.type_in("2026-06-01")
    form.formats["csv"].type_in(False)
    press(form.widget, "Start the export")
    assert "COACH-EXP-002" in form.messages.text()


def test_too_many_open_exports_are_said_beside_the_button(
    shown: ExportsPage, services: Services
) -> None:
    most, form = services.settings.export_open, shown.composer
    for number in range(1, most + 1):
        press(form.widget, "Start the export")
        assert (len(shown.items), form.messages.text()) == (number, "")
    press(form.widget, "Start the export")
    assert "COACH-EXP-053" in form.messages.text()
    assert len(shown.items) == most


def test_nobody_found_is_told_and_several_are_offered(
    shown: ExportsPage, services: Services
) -> None:
    make_pair(services.database)
    picker = shown.composer.clients
    picker.look()
    assert "Type some letters" in picker.search.error
    picker.search.type_in("nobody at all")
    picker.look()
    assert "There is no client like that" in picker.search.error
    picker.search.type_in("m%_!")
    picker.look()
    assert "There is no client like that" in picker.search.error
    picker.search.type_in("maya")
    picker.look()
    offered = picker.found.find(Button)
    assert len(offered) == 2
    offered[1].click()
    assert len(picker.ids) == 1
    (chip,) = picker.chips.children
    chip.receive({"event": "action", "name": "drop", "value": "somebody else"})
    assert len(picker.ids) == 1
    chip.receive({"event": "action", "name": "drop", "value": picker.ids[0]})
    assert picker.ids == []


def test_a_waiting_export_is_cancelled_and_a_ready_one_loses_its_files(
    shown: ExportsPage, jobs: Jobs, services: Services
) -> None:
    press(shown.composer.widget, "Start the export")
    (first,) = shown.items.values()
    press(first.widget, "Cancel")
    assert "Cancelled" in shown.page.text()
    press(shown.composer.widget, "Start the export")
    work(jobs)
    shown.refresh()
    ready = next(item for item in shown.items.values() if item.export.state == "ready")
    press(ready.widget, "Delete the files")
    assert "Files deleted" in shown.page.text()
    folder = services.settings.home / "exports"
    assert [path for path in folder.iterdir() if not path.name.startswith(".")] == []


def test_a_failed_export_tells_why_and_is_tried_again(
    shown: ExportsPage, jobs: Jobs, services: Services
) -> None:
    place = services.settings.home / "exports"
    place.write_text("a file in the way")
    press(shown.composer.widget, "Start the export")
    work(jobs)
    shown.refresh()
    (item,) = shown.items.values()
    assert "COACH-EXP-006" in item.widget.text()
    place.unlink()
    press(item.widget, "Try again")
    assert "Waiting" in item.widget.text()
    assert "COACH-EXP-006" not in item.widget.text()
    work(jobs)
    shown.refresh()
    assert "Ready" in item.widget.text()


def test_a_coach_sees_and_exports_the_own_only(
    shown: ExportsPage, services: Services, jobs: Jobs, pair: Pair
) -> None:
    other = make_pair(services.database)
    press(shown.composer.widget, "Start the export")
    mine = ExportsPage(pair.actor, services, jobs.exports)
    assert mine.items == {}
    assert "your own clients" in mine.page.text()
    mine.composer.clients.search.type_in(str(other.client_name))
    mine.composer.clients.look()
    assert mine.composer.clients.ids in ([], [str(pair.client_id)])
    press(mine.composer.widget, "Start the export")
    (item,) = mine.items.values()
    assert item.export.request.coaches == (str(pair.coach_id),)


def test_a_service_has_no_such_page(services: Services, jobs: Jobs) -> None:
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        ExportsPage(Actor(None, "service", "Robot"), services, jobs.exports)
    assert (
        "COACH-IDN-003"
        in exports.page(Actor(None, "service", "Robot"), services, jobs.exports).text()
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12 kB"), (3_400_000, "3.4 MB"),
     (2_000_000_000_000, "2,000 GB")],
)  # fmt: skip
def test_bytes_read_as_people_say_them(number: int, text: str) -> None:
    assert size(number) == text
