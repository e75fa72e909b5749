"""Goals: five described levels, ratings, and the published formula."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching.goals import (
    LEVELS,
    add_goal,
    attainment,
    edit_goal,
    list_goals,
    rate_goal,
    t_score,
)
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from tests.coaching.builders import make_pair

FIVE = {-2: "never", -1: "as now", 0: "weekly", 1: "daily", 2: "always"}


def test_a_goal_is_added_rated_and_listed(database: Database) -> None:
    pair = make_pair(database)
    goal = add_goal(database, pair.actor, pair.client_id, "  Delegate   more ", FIVE, weight=2)
    assert (goal.title, goal.levels, goal.weight, goal.latest) == ("Delegate more", FIVE, 2, None)
    assert goal.engagement_id == pair.engagement_id
    rate_goal(database, pair.actor, goal.id, -1, rated_on=dt.date(2026, 1, 5))
    rate_goal(database, pair.actor, goal.id, 1, rated_on=dt.date(2026, 3, 5), note="better")
    rate_goal(database, pair.actor, goal.id, 0, rated_on=dt.date(2026, 2, 5), rated_by="client")
    (listed,) = list_goals(database, pair.actor, pair.client_id)
    assert [rating.level for rating in listed.ratings] == [-1, 0, 1]
    assert listed.latest is not None
    assert listed.latest.note == "better"


def test_a_second_rating_of_a_day_replaces_the_first(database: Database) -> None:
    pair = make_pair(database)
    goal = add_goal(database, pair.actor, pair.client_id, "Goal", FIVE)
    for level in (0, 2):
        goal = rate_goal(database, pair.actor, goal.id, level, rated_on=dt.date(2026, 1, 5))
    assert [rating.level for rating in goal.ratings] == [2]


def test_levels_of_a_rated_goal_stay(database: Database) -> None:
    pair = make_pair(database)
    goal = add_goal(database, pair.actor, pair.client_id, "Goal", FIVE)
    goal = edit_goal(database, pair.actor, goal.id, levels=FIVE | {2: "without thinking"})
    assert goal.levels[2] == "without thinking"
    rate_goal(database, pair.actor, goal.id, 0)
    with pytest.raises(CoachError, match="COACH-CCH-005"):
        edit_goal(database, pair.actor, goal.id, levels=FIVE)
    goal = edit_goal(database, pair.actor, goal.id, title="New", status="reached")
    assert (goal.title, goal.status) == ("New", "reached")


def test_others_neither_see_nor_change_goals(database: Database) -> None:
    pair, other = make_pair(database), make_pair(database)
    goal = add_goal(database, SYSTEM, pair.client_id, "Goal", FIVE)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        list_goals(database, other.actor, pair.client_id)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        add_goal(database, other.actor, pair.client_id, "Goal", FIVE)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        rate_goal(database, other.actor, goal.id, 0)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        edit_goal(database, pair.actor, ids.new_id(), title="x")
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        rate_goal(database, Actor(None, "analyst", "An"), goal.id, 0)


def test_values_out_of_range_are_refused(sqlite_database: Database) -> None:
    database = sqlite_database
    pair = make_pair(database)
    add = (database, pair.actor, pair.client_id)
    for title, levels, weight in (
        (" ", FIVE, 1),
        ("x" * 201, FIVE, 1),
        ("Goal", {0: "only one"}, 1),
        ("Goal", FIVE | {0: " "}, 1),
        ("Goal", FIVE, 0),
        ("Goal", FIVE, 6),
    ):
        with pytest.raises(CoachError, match="COACH-CCH-005"):
            add_goal(*add, title, levels, weight)
    goal = add_goal(*add, "Goal", FIVE)
    future = clock.today() + dt.timedelta(days=3)
    with pytest.raises(CoachError, match="COACH-CCH-005"):
        rate_goal(database, pair.actor, goal.id, 3)
    with pytest.raises(CoachError, match="COACH-CCH-005"):
        rate_goal(database, pair.actor, goal.id, 0, rated_by="boss")
    with pytest.raises(CoachError, match="COACH-CCH-005"):
        rate_goal(database, pair.actor, goal.id, 0, rated_on=future)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        rate_goal(database, pair.actor, goal.id, 0, session_id=ids.new_id())


def test_the_t_score_of_a_worked_example() -> None:
    """Three goals, equal weights, levels +1, 0, -1 cancel out; one goal at +1 is one 10."""
    assert t_score([(1, 1), (1, 0), (1, -1)]) == 50
    assert t_score([(1, 1)]) == pytest.approx(60)
    assert t_score([(3, 1), (2, 2)]) == pytest.approx(50 + 70 / (0.7 * 13 + 0.3 * 25) ** 0.5)
    assert t_score([]) is None


_rated = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(LEVELS)), min_size=1, max_size=8)


@given(_rated)
def test_the_t_score_is_symmetric_and_ignores_the_scale_of_weights(
    rated: list[tuple[int, int]],
) -> None:
    score = t_score(rated)
    mirrored = t_score([(weight, -level) for weight, level in rated])
    assert score is not None
    assert mirrored is not None
    assert score - 50 == pytest.approx(50 - mirrored)
    assert t_score([(weight * 3, level) for weight, level in rated]) == pytest.approx(score)


def test_attainment_counts_what_is_rated_and_not_dropped(sqlite_database: Database) -> None:
    pair = make_pair(sqlite_database)
    made = [
        add_goal(sqlite_database, pair.actor, pair.client_id, f"Goal {n}", FIVE) for n in range(3)
    ]
    rate_goal(sqlite_database, pair.actor, made[0].id, 1)
    rate_goal(sqlite_database, pair.actor, made[1].id, -2)
    edit_goal(sqlite_database, pair.actor, made[1].id, status="dropped")
    found = attainment(list_goals(sqlite_database, pair.actor, pair.client_id))
    assert found.t_score == pytest.approx(60)
    assert (found.rated, found.goals) == (1, 2)
