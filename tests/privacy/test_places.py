"""The register of places is complete, and the page says what it says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from coachops.backup.home import _FOLDERS
from coachops.bootstrap import Services
from coachops.db.models import Base
from coachops.jobs import Jobs
from coachops.privacy import PLACES
from coachops.privacy.places import places_markdown
from coachops.privacy.rows import PARTS
from tests.privacy.conftest import SQLITE
from tests.support.subjects import Subject

ROOT = Path(__file__).resolve().parents[2]
ABOUT_CLIENTS = {
    "client", "sessions", "analyses", "ai_replies", "goals", "letters", "quarantine", "inbound",
}  # fmt: skip


def test_every_table_is_in_exactly_one_place() -> None:
    """A new table has to say whether it can hold personal text, and what an erasure does to it."""
    listed = Counter(table for place in PLACES for table in place.tables)
    assert set(listed) == set(Base.metadata.tables)
    assert set(listed.values()) == {1}


def test_every_table_about_clients_is_erased() -> None:
    erased = {part.name for part in PARTS}
    assert {t for place in PLACES if place.key in ABOUT_CLIENTS for t in place.tables} == erased


def test_every_table_that_leads_to_a_client_is_erased_or_said_to_stay() -> None:
    reached = {"clients"}
    while True:
        more = {
            table.name
            for table in Base.metadata.sorted_tables
            for key in table.foreign_keys
            if key.column.table.name in reached
        }
        if more <= reached:
            break
        reached |= more
    assert reached - {part.name for part in PARTS} == {"suppressions"}


def test_rows_are_deleted_children_first() -> None:
    order = [part.name for part in PARTS]
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            parent = key.column.table.name
            if table.name in order and parent in order and parent != table.name:
                assert order.index(table.name) < order.index(parent), f"{table.name} -> {parent}"


@SQLITE
def test_every_folder_of_a_working_home_is_in_a_place(services: Services, gone: Subject) -> None:
    services.backups.run()
    with Jobs(services.settings, services) as jobs:
        jobs.queue.enqueue_pipeline(gone.transcript_id)
    known = {name for place in PLACES for name in place.folders}
    assert set(_FOLDERS) <= known
    found = {
        path.name.removesuffix("-wal").removesuffix("-shm")
        for path in services.settings.home.iterdir()
        if not path.name.startswith(".")
    }
    assert found <= known


def test_the_page_shows_the_register() -> None:
    page = (ROOT / "site" / "explanation" / "privacy.md").read_text(encoding="utf-8")
    assert places_markdown() in page


def test_every_way_of_keeping_text_says_what_an_erasure_does() -> None:
    assert all(place.erased and place.what and place.where for place in PLACES)
    assert len({place.key for place in PLACES}) == len(PLACES)
    binary = {
        table.name
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary)
    }
    assert binary == {"transcripts", "quarantine"}
