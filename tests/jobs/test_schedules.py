"""Schedules: one slot once, also where the clock changes, and a file with a mistake is refused."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.jobs.ids import parse_job_id
from coachops.jobs.schedules import Schedule, load_schedules

LONDON = zoneinfo.ZoneInfo("Europe/London")


def due(cron: str, now: str, zone: zoneinfo.ZoneInfo = LONDON) -> str:
    schedule = Schedule("weekly", cron, zone, "{}")
    found = schedule.last_due(dt.datetime.fromisoformat(now).astimezone(clock.UTC))
    return found.strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("cron", "now", "slot"),
    [
        ("0 6 * * 1", "2026-11-23T05:59:59+00:00", "2026-11-16 06:00"),
        ("0 6 * * 1", "2026-11-23T06:00:00+00:00", "2026-11-23 06:00"),
        ("0 6 * * 1", "2026-07-06T05:00:00+00:00", "2026-07-06 05:00"),  # summer time
        ("30 1 * * *", "2026-03-29T01:29:00+00:00", "2026-03-28 01:30"),  # 01:30 is skipped:
        ("30 1 * * *", "2026-03-29T01:30:00+00:00", "2026-03-29 01:30"),  # it runs at 02:30 BST
        ("30 1 * * *", "2026-10-25T00:30:00+00:00", "2026-10-25 00:30"),  # 01:30 comes twice:
        ("30 1 * * *", "2026-10-25T01:15:00+00:00", "2026-10-25 00:30"),  # before the second one
        ("30 1 * * *", "2026-10-25T01:45:00+00:00", "2026-10-25 00:30"),  # and after it: once
        ("0 0 1 1 *", "2026-11-23T00:00:00+00:00", "2026-01-01 00:00"),
    ],
)
def test_the_last_slot_is_found(cron: str, now: str, slot: str) -> None:
    assert due(cron, now) == slot


@given(st.integers(0, 8_000_000), st.integers(0, 3000))
def test_slots_never_go_back(start: int, minutes: int) -> None:
    schedule = Schedule("weekly", "*/30 * * * *", LONDON, "{}")
    earlier = dt.datetime(2020, 1, 1, tzinfo=clock.UTC) + dt.timedelta(minutes=start)
    later = earlier + dt.timedelta(minutes=minutes)
    assert schedule.last_due(earlier) <= schedule.last_due(later) <= later


def test_the_projects_own_schedule_is_valid() -> None:
    found = load_schedules(load_settings(time_zone="Asia/Tokyo"))
    assert found
    for schedule in found:
        assert schedule.zone.key == "Asia/Tokyo"
        assert schedule.last_due(clock.now()) <= clock.now()


def test_without_a_file_nothing_is_due(tmp_path: Path) -> None:
    assert load_schedules(load_settings(), tmp_path / "schedule.toml") == []


def test_a_mistake_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text('[[schedule]]\nreport = "nowhere"\ncron = "0 6 * * 1"\n')
    with pytest.raises(CoachError, match="COACH-REP-001"):
        load_schedules(load_settings(), path)


def test_a_slot_names_its_job_and_other_parameters_another_one() -> None:
    slot = dt.datetime(2026, 1, 5, 6, tzinfo=clock.UTC)
    plain = Schedule("weekly", "0 6 * * 1", LONDON)
    other = Schedule("weekly", "0 6 * * 1", LONDON, '{"weeks": 4}')
    assert str(plain.job(slot)) == "report/weekly/2026-01-05T0600Z/1"
    assert str(other.job(slot)).startswith("report/weekly/2026-01-05T0600Z-")
    assert parse_job_id(str(other.job(slot))) == other.job(slot)
