"""The status: what is overdue, failed, missing or never was, and that it says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.backup import Backups, span
from coachops.backup.standing import DRILL_GRACE
from coachops.core import clock


def _bad(backups: Backups, **how: bool) -> set[str]:
    found = backups.status(**how)
    bad = {problem.code for problem in found.problems if problem.severity == "bad"}
    assert found.ok == (not bad)
    assert all(problem.next_step for problem in found.problems)
    return bad


def test_never_backed_up_is_not_recoverable(backups: Backups) -> None:
    assert _bad(backups) == {"COACH-BKP-014", "COACH-BKP-015"}
    assert backups.status().rpo_seconds is None


def test_in_time_is_well(backups: Backups) -> None:
    backups.run()
    backups.drill()
    assert _bad(backups) == set()
    assert _bad(backups, thorough=True) == set()


def test_a_backup_and_a_drill_become_overdue(backups: Backups) -> None:
    start = clock.now()
    with clock.frozen(start):
        backups.run()
        backups.drill()
    for after, expected in (
        (dt.timedelta(minutes=15), set()),
        (dt.timedelta(minutes=16), {"COACH-BKP-014"}),
        (dt.timedelta(hours=24) + DRILL_GRACE, {"COACH-BKP-014"}),
        (dt.timedelta(hours=25) + DRILL_GRACE, {"COACH-BKP-014", "COACH-BKP-015"}),
    ):
        with clock.frozen(start + after):
            assert _bad(backups) == expected
    with clock.frozen(start - dt.timedelta(days=1)):  # a clock that went back is no reason
        assert _bad(backups) == set()
        assert backups.status().rpo_seconds == 0


def test_the_first_drill_may_take_its_time(backups: Backups) -> None:
    """The worker drills at night: an installation of today is not red until then."""
    start = clock.now()
    with clock.frozen(start):
        backups.run()
        assert _bad(backups) == set()
        assert "COACH-BKP-015" in {problem.code for problem in backups.status().problems}
    with clock.frozen(start + dt.timedelta(hours=27)):
        backups.run()
        assert _bad(backups) == {"COACH-BKP-015"}


def test_a_failed_drill_stays_red_until_one_passes(
    at: Callable[..., Backups], backups: Backups, tmp_path: Path
) -> None:
    start = clock.now()
    with clock.frozen(start):
        backups.run()
        assert backups.drill().passed
    with clock.frozen(start + dt.timedelta(minutes=1)):
        assert not at(backup_escrow=str(tmp_path / "gone")).drill().passed
        assert _bad(backups) == {"COACH-BKP-013"}
    with clock.frozen(start + dt.timedelta(minutes=2)):
        backups.drill()
        assert _bad(backups) == set()


def test_a_backup_that_vanished_from_the_place_is_named(backups: Backups, place: Path) -> None:
    row = backups.run()
    backups.drill()
    next((place / "backups" / row.id).glob("manifest-*")).unlink()
    assert _bad(backups) == set()  # the database alone cannot know
    assert _bad(backups, thorough=True) == {"COACH-BKP-007"}


def test_the_disk_of_the_data_is_no_second_place_in_production(at: Callable[..., Backups]) -> None:
    backups = at(env="production")
    backups.run()
    backups.drill()
    assert _bad(backups) == {"COACH-BKP-017"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 minute"),
        (95, "1 minute 35 s"),
        (15 * 60, "15 minutes"),
        (3_600 * 3 + 600, "3 hours 10 min"),
        (86_400 * 2 + 3_600, "2 days 1 h"),
        (86_400 * 40 + 3_600, "40 days"),
    ],
)
def test_durations_are_in_words(seconds: int, text: str) -> None:
    assert span(dt.timedelta(seconds=seconds)) == text
