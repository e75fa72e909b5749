"""`data.changed` over the change feed of the database: its own triggers, places and limits."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.grants import Grant
from coachops.db import change_feed
from coachops.db.models import Goal
from coachops.jobs.changes import FeedChanges
from coachops.webhooks import tell_changes
from tests.coaching.builders import Pair, make_pair
from tests.support.receiver import Receiver
from tests.webhooks.conftest import House


def test_what_a_row_changes_is_told_to_those_who_may_see_it(
    house: House, receiver: Receiver
) -> None:
    database = house.services.database
    feed = FeedChanges(database)
    assert feed.head() is None
    one, two = make_pair(database), make_pair(database, coach_name="Ben Ito")
    change_feed.sequence(database)
    head = feed.head()
    assert head is not None
    assert set(feed.changed_since(0, Grant())) >= {"coaches", "clients", "engagements", "consents"}
    assert feed.changed_since(head, Grant()) == []
    _goal(house, one)
    assert set(feed.changed_since(head, Grant())) == {"goals"}
    theirs = Grant(coaches=frozenset({one.coach_id}))
    assert feed.changed_since(head, theirs) == ["goals"]
    for others in (
        Grant(coaches=frozenset({two.coach_id})),
        Grant(clients=frozenset({two.client_id})),
        Grant(coaches=frozenset({one.coach_id}), clients=frozenset({two.client_id})),
        Grant(datasets=frozenset({"sessions"})),
        Grant(coaches=frozenset({uuid.UUID(int=1)})),
    ):
        assert feed.changed_since(head, others) == [], others
    for path, limits in (
        ("/all", Grant()),
        ("/one", theirs),
        ("/two", Grant(coaches=frozenset({two.coach_id}))),
    ):
        _, hook = house.add(receiver.url(path), ("data.changed",), limits=limits)
        house.change(hook, told_position=head)
    assert tell_changes(database, feed, 10) == 2
    house.work_off()
    assert sorted(each.path for each in receiver.requests) == ["/all", "/one"]


def test_telling_changes_nothing_that_is_told(house: House, receiver: Receiver) -> None:
    """Else a webhook would be the cause of the next one, for ever."""
    database = house.services.database
    feed = FeedChanges(database)
    house.add(receiver.url(), ("data.changed",))
    make_pair(database)
    change_feed.sequence(database)
    before = feed.head()
    now = clock.now()
    for minutes in range(3):
        with clock.frozen(now + dt.timedelta(minutes=minutes)):
            tell_changes(database, feed, 10)
            house.work_off()
            change_feed.sequence(database)
    assert (len(receiver.requests), feed.head()) == (1, before)


def _goal(house: House, pair: Pair) -> None:
    """One more goal of the pair."""

    def work(session: Session) -> None:
        session.add(
            Goal(
                client_id=pair.client_id, coach_id=pair.coach_id, title="Sleep", levels=["a"] * 5,
                engagement_id=pair.engagement_id,
            )
        )  # fmt: skip

    house.services.database.run(work)
    change_feed.sequence(house.services.database)
