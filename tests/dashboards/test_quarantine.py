"""The quarantine page, clicked on a real database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from coachops.bootstrap import Services
from coachops.coaching import quarantine
from coachops.coaching.roster import import_roster
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.dashboards import components
from coachops.dashboards.components import Button, Element, FileUpload, TextField
from coachops.dashboards.quarantine import QuarantinePage
from coachops.db import Database
from tests.coaching.builders import Pair, make_pair
from tests.coaching.test_quarantine import BAD, BROKEN, GOOD, HEAD, LAST, refused, take, texts
from tests.coaching.test_roster import HEADER, ROW


class Queue:
    """Takes the ids of transcripts that are to be analysed."""

    def __init__(self) -> None:
        self.ids: list[uuid.UUID] = []

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> None:
        self.ids.append(transcript_id)


@pytest.fixture(autouse=True)
def _no_banner() -> Iterator[None]:
    yield
    components.report_to(None)


@pytest.fixture
def services(settings: Settings, sqlite_database: Database) -> Services:
    return Services(settings, sqlite_database)


@pytest.fixture
def pair(sqlite_database: Database) -> Pair:
    return make_pair(sqlite_database)


@pytest.fixture
def queue() -> Queue:
    return Queue()


def press(part: Element, label: str) -> None:
    found = [b for b in part.find(Button) if b.label == label]
    assert len(found) == 1, [b.label for b in part.find(Button)]
    found[0].click()


def opened(actor: Actor, services: Services, queue: Queue) -> QuarantinePage:
    shown = QuarantinePage(actor, services, queue)
    if shown.rows:
        shown.table.receive({"event": "action", "name": "open", "value": str(shown.rows[0].id)})
    return shown


def test_an_empty_quarantine_says_so(pair: Pair, services: Services, queue: Queue) -> None:
    text = opened(pair.actor, services, queue).page.text()
    assert "Nothing waits: everything that came in was accepted." in text
    assert "How this works" in text


def test_a_coach_corrects_a_line(pair: Pair, services: Services, queue: Queue) -> None:
    result = take(services.database, pair, HEAD + GOOD + BAD + LAST)
    shown = opened(pair.actor, services, queue)
    assert "the end lies before the start" in shown.page.text()
    (field,) = shown.page.find(TextField)
    assert field.data == BAD.decode().strip()
    press(shown.page, "Replay with my correction")
    assert "COACH-QRN-002" in shown.page.text()
    field.type_in(BAD.decode().replace("05.000 -->", "02.000 -->"))
    press(shown.page, "Replay with my correction")
    assert "It was accepted." in shown.page.text()
    assert "Nothing waits" in shown.page.text()
    assert len(texts(services.database, result.transcript_id)) == 3


def test_a_coach_replays_a_file_with_a_corrected_one(
    pair: Pair, services: Services, queue: Queue
) -> None:
    item = refused(services.database, pair, BROKEN)
    shown = opened(pair.actor, services, queue)
    (upload,) = shown.page.find(FileUpload)
    upload.offer_files({"b.docx": b"PK\x03\x04 still none"})
    assert "COACH-TRN-007" in shown.page.text()
    upload.offer_files({"b.vtt": HEAD + GOOD + LAST})
    row = quarantine.get(services.database, pair.actor, item).row
    assert row.state == "replayed"
    assert queue.ids == [row.transcript_id]
    assert "The analysis is under way." in shown.page.text()
    assert len(quarantine.list_items(services.database, pair.actor)) == 0


def test_discarding_asks_and_deletes(pair: Pair, services: Services, queue: Queue) -> None:
    item = refused(services.database, pair, BROKEN)
    shown = opened(pair.actor, services, queue)
    (discard,) = [b for b in shown.page.find(Button) if b.label == "Discard"]
    assert discard.question
    discard.click()
    assert quarantine.get(services.database, pair.actor, item).content is None
    assert "was discarded" in shown.page.text()
    shown.ended.type_in(True)
    assert "discarded" in shown.table.text()


def test_others_items_are_neither_listed_nor_opened(
    pair: Pair, services: Services, queue: Queue
) -> None:
    other = make_pair(services.database)
    item = refused(services.database, pair, BROKEN)
    shown = opened(other.actor, services, queue)
    assert shown.rows == []
    with pytest.raises(CoachError) as caught:
        shown.open(item)
    assert caught.value.code == "COACH-CCH-001"


def test_an_admin_corrects_a_row_of_a_roster(services: Services, queue: Queue) -> None:
    wrong = ROW.replace("Ada@Example.org", "no address")
    import_roster(services.database, SYSTEM, (HEADER + wrong).encode())
    shown = opened(SYSTEM, services, queue)
    (field,) = shown.page.find(TextField)
    field.type_in(field.data.replace("no address", "ada@example.org"))
    press(shown.page, "Replay with my correction")
    assert "Everything in it was imported." in shown.page.text()


def test_analysts_have_no_quarantine(services: Services, queue: Queue) -> None:
    with pytest.raises(CoachError) as caught:
        QuarantinePage(Actor(None, "analyst", "An"), services, queue)
    assert caught.value.code == "COACH-IDN-003"
