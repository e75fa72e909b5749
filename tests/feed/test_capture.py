"""Every change is noted, whoever makes it and however; with the scope it left and the one entered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from coachops.db import Database, capture, change_feed
from coachops.db.capture import TRACKED, source_tables
from coachops.db.models import (
    ActionItem,
    Analysis,
    CoachingSession,
    Engagement,
    Insight,
    InsightEdit,
    Transcript,
    Utterance,
)
from coachops.export import DATASETS
from coachops.export.feed import Seen
from tests.export.conftest import make_organisation
from tests.feed.replica import Replica


@pytest.fixture
def organisation(database: Database) -> Database:
    make_organisation(database, sessions=12)
    return database


@pytest.fixture
def replicas(organisation: Database) -> Iterator[dict[str, Replica]]:
    """A follower of each dataset, caught up."""
    found = {name: Replica(organisation, Seen(dataset)) for name, dataset in DATASETS.items()}
    for each in found.values():
        each.catch_up()
    yield found


def all_equal(replicas: dict[str, Replica]) -> dict[str, int]:
    for each in replicas.values():
        each.catch_up()
    return {name: wrong for name, each in replicas.items() if (wrong := each.wrong())}


def test_followers_from_nothing_hold_every_row(replicas: dict[str, Replica]) -> None:
    assert all_equal(replicas) == {}
    assert all(each.rows for each in replicas.values())


def test_what_is_watched_is_what_datasets_are_made_of() -> None:
    assert TRACKED.keys() == DATASETS.keys()
    for name, dataset in DATASETS.items():
        source = dataset.table.__table__ if dataset.source is None else dataset.source
        tables = {each.name for each in sa.sql.visitors.iterate(source) if isinstance(each, sa.Table)}
        assert source_tables(name) == tables, name
        assert TRACKED[name].table == dataset.table.__tablename__
        parent = TRACKED[name].parent
        if dataset.selected_with is not None:
            key = dataset.parent_key(dataset.selected_with)
            assert parent == (key.column, key.dataset)


CHANGES: dict[str, Callable[[sa.Connection], object]] = {
    "a bulk update": lambda c: c.execute(sa.update(Utterance).values(text="Other words.")),
    "raw SQL": lambda c: c.execute(sa.text("UPDATE sessions SET title = 'Renamed'")),
    "a cut": lambda c: c.execute(sa.update(Utterance).where(Utterance.position < 4).values(is_cut=True)),
    "a name shown elsewhere": lambda c: c.execute(sa.update(Transcript).values(source_name="new.vtt")),
    "findings held back": lambda c: c.execute(sa.update(Insight).values(held_back=True)),
    "an edit changed": lambda c: c.execute(sa.update(InsightEdit).values(text="Once more.")),
    "an edit removed": lambda c: c.execute(sa.delete(InsightEdit)),
    "an edit that goes elsewhere": lambda c: c.execute(sa.update(InsightEdit).values(anchor=sa.select(Insight.anchor).where(Insight.transcript_id == InsightEdit.transcript_id, Insight.kind == InsightEdit.kind).order_by(Insight.anchor.desc()).limit(1).scalar_subquery())),
    "a cascade from transcripts": lambda c: c.execute(sa.delete(Transcript)),
    "a cascade from analyses": lambda c: c.execute(sa.delete(Analysis)),
    "a cascade from goals": lambda c: (
        c.execute(sa.text("DELETE FROM goals")),
    ),
    "a behaviour": lambda c: c.execute(sa.update(Utterance).values(behaviour="other")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_followers_see(change: str, organisation: Database, replicas: dict[str, Replica]) -> None:
    with organisation.connect(write=True) as connection:
        CHANGES[change](connection)
    assert all_equal(replicas) == {}
