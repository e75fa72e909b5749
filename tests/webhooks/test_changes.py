"""Telling that data changed: in bursts one event, within limits, nothing missed, nothing after a rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.core import clock
from coachops.core.grants import Grant
from coachops.db import Database
from coachops.webhooks import tell_changes
from tests.support.receiver import Receiver, answers
from tests.webhooks.conftest import House

NOW = dt.datetime(2026, 11, 30, 9, 0, tzinfo=dt.UTC)


class Feed:
    """A feed in a table of the same database: a position and a dataset for each change."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.connect(write=True) as connection:
            connection.execute(
                sa.text("CREATE TABLE test_changes (pos BIGINT PRIMARY KEY, dataset VARCHAR(60))")
            )

    def add(self, *datasets: str) -> None:
        with self.database.connect(write=True) as connection:
            for each in datasets:
                connection.execute(
                    sa.text(
                        "INSERT INTO test_changes "
                        "SELECT coalesce(max(pos), 0) + 1, :dataset FROM test_changes"
                    ),
                    {"dataset": each},
                )

    def head(self) -> int | None:
        with self.database.connect() as connection:
            return connection.scalar(sa.text("SELECT max(pos) FROM test_changes"))

    def changed_since(self, position: int, grant: Grant) -> Sequence[str]:
        with self.database.connect() as connection:
            found = connection.scalars(
                sa.text("SELECT DISTINCT dataset FROM test_changes WHERE pos > :position"),
                {"position": position},
            )
            return [each for each in found if grant.allows_dataset(each)]


@pytest.fixture
def feed(house: House) -> Feed:
    return Feed(house.services.database)


def tell(house: House, feed: Feed, seconds: float) -> int:
    """A round at so many seconds past nine, with ten seconds between two events."""
    with clock.frozen(NOW + dt.timedelta(seconds=seconds)):
        return tell_changes(house.services.database, feed, 10)


def bodies(house: House, receiver: Receiver, seconds: float) -> list[dict[str, Any]]:
    """What arrives when the outbox is worked off then."""
    before = len(receiver.requests)
    with clock.frozen(NOW + dt.timedelta(seconds=seconds)):
        house.work_off()
    import json

    return [json.loads(each.body)["data"] for each in receiver.requests[before:]]


def test_a_burst_is_one_event_and_what_came_meanwhile_is_told_afterwards(
    house: House, receiver: Receiver, feed: Feed
) -> None:
    house.add(receiver.url(), ("data.changed",))
    assert tell(house, feed, 0) == 0  # nothing ever changed
    feed.add("sessions", "utterances", "sessions")
    assert [tell(house, feed, 1), tell(house, feed, 2)] == [1, 0]
    assert bodies(house, receiver, 3) == [
        {
            "datasets": ["sessions", "utterances"], "position": 3,
            "url": "http://localhost:8000/v1/changes",
        }
    ]  # fmt: skip
    feed.add("goals")
    feed.add("messages")
    assert [tell(house, feed, 4), tell(house, feed, 10.5)] == [0, 0]  # ten seconds are not over
    assert tell(house, feed, 11.5) == 1
    [later] = bodies(house, receiver, 12)
    assert (later["datasets"], later["position"]) == (["goals", "messages"], 5)
    assert tell(house, feed, 60) == 0


def test_while_one_event_waits_no_further_one_is_added(
    house: House, receiver: Receiver, feed: Feed
) -> None:
    house.add(receiver.url(), ("data.changed",))
    receiver.behaviour = answers(503)
    for number in range(5):
        feed.add("sessions")
        tell(house, feed, number * 100)
        bodies(house, receiver, number * 100 + 1)
    assert house.count() == 1
    receiver.behaviour = answers(204)
    assert len(bodies(house, receiver, 90_000)) == 1
    assert tell(house, feed, 90_001) == 1
    [last] = bodies(house, receiver, 90_002)
    assert last["position"] == 5


def test_an_endpoint_hears_of_its_datasets_only_and_of_nothing_if_others_changed(
    house: House, receiver: Receiver, feed: Feed
) -> None:
    limits = Grant(datasets=frozenset({"goals", "sessions"}))
    house.add(receiver.url(), ("data.changed",), limits=limits)
    feed.add("messages")
    assert tell(house, feed, 0) == 0
    feed.add("goals", "messages")
    assert tell(house, feed, 1) == 1  # at once: the round before told nothing
    [told] = bodies(house, receiver, 2)
    assert told["datasets"] == ["goals"]


def test_a_feed_that_begins_anew_is_told_as_a_change_of_all(
    house: House, receiver: Receiver, feed: Feed
) -> None:
    _, hook = house.add(receiver.url(), ("data.changed",))
    feed.add("sessions", "goals")
    house.change(hook, told_position=900, told_at=None)
    assert tell(house, feed, 0) == 1
    [told] = bodies(house, receiver, 1)
    assert (told["datasets"], told["position"]) == (["goals", "sessions"], 2)


def test_two_workers_tell_it_once(house: House, receiver: Receiver, feed: Feed) -> None:
    house.add(receiver.url(), ("data.changed",))
    feed.add("sessions")

    class Meanwhile(Feed):
        """Another worker is faster between the look and the event."""

        def __init__(self, feed: Feed) -> None:
            self.database, self.others = feed.database, feed

        def head(self) -> int | None:
            assert tell(house, self.others, 0) == 1
            return super().head()

    assert tell(house, Meanwhile(feed), 0) == 0
    assert house.count() == 1


def test_who_did_not_ask_or_is_off_is_not_told(
    house: House, receiver: Receiver, feed: Feed
) -> None:
    house.add(receiver.url(), ("export.ready",))
    _, off = house.add(receiver.url(), ("data.changed",))
    house.change(off, disabled_at=NOW, disabled_reason="gone")
    feed.add("sessions")
    assert tell(house, feed, 0) == 0
