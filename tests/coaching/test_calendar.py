"""Days are those of the organisation's calendar, not of Greenwich."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator

import pytest

from coachops.bootstrap import services
from coachops.coaching import goals, importing
from coachops.coaching.brief import brief
from coachops.coaching.review import add_action, load_review, set_action_status
from coachops.core import clock
from coachops.core.settings import load_settings
from coachops.db import Database
from tests.coaching.builders import make_pair, make_transcript

SUMMER_EVENING = dt.datetime(2026, 7, 14, 23, 30, tzinfo=dt.UTC)
"""In London it is the fifteenth, half past midnight; in New York still the fourteenth."""


@pytest.fixture
def london(sqlite_database: Database) -> Iterator[Database]:
    database = Database(sqlite_database.url, zone=zoneinfo.ZoneInfo("Europe/London"))
    yield database
    database.close()


def test_the_services_know_the_organisation_s_zone(sqlite_database: Database) -> None:
    made = services(load_settings(database_url=sqlite_database.url, time_zone="America/New_York"))
    with clock.frozen(SUMMER_EVENING):
        assert made.database.today() == dt.date(2026, 7, 14)
    made.close()


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-03-29T00:30:00+00:00", "2026-03-29"),  # the night the clocks go forward
        ("2026-03-29T23:30:00+00:00", "2026-03-30"),
        ("2026-10-24T23:30:00+00:00", "2026-10-25"),  # the night they go back
        ("2026-10-25T23:30:00+00:00", "2026-10-25"),
    ],
)
def test_today_around_the_clock_change(london: Database, instant: str, day: str) -> None:
    with clock.frozen(dt.datetime.fromisoformat(instant)):
        assert london.today() == dt.date.fromisoformat(day)


def test_done_rated_overdue_and_held_today_are_local_days(london: Database) -> None:
    pair = make_pair(london)
    transcript_id = make_transcript(london, pair, held_on=dt.date(2026, 7, 1))
    with clock.frozen(SUMMER_EVENING):
        done = add_action(london, pair.actor, transcript_id, text="Rest", owner="client")
        add_action(
            london, pair.actor, transcript_id, text="Walk", owner="client",
            due_date=dt.date(2026, 7, 14),
        )  # fmt: skip
        set_action_status(london, pair.actor, done, "done")
        goal = goals.add_goal(
            london, pair.actor, pair.client_id, "Rest", dict.fromkeys(goals.LEVELS, "x")
        )
        rated = goals.rate_goal(london, pair.actor, goal.id, 1)
        imported = importing.import_transcript(
            london, pair.actor, b"Ada Reyes: Hello there?\nMaya Okafor: Yes.\n", "a.txt",
            coach=str(pair.coach_id), client=str(pair.client_id),
        )  # fmt: skip
        assert [
            each.overdue for each in brief(london, pair.actor, pair.client_id).client_steps
        ] == [True]
    day = dt.date(2026, 7, 15)
    step = next(
        each for each in load_review(london, pair.actor, transcript_id).actions if each.done_on
    )
    assert step.done_on == day
    assert rated.ratings[0].rated_on == day
    assert load_review(london, pair.actor, imported.transcript_id).held_on == day
