"""Schedules: one slot once, also where the clock changes, and a file with a mistake is refused."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core import clock
from coachops.core.settings import load_settings
from coachops.export.issued import ExportRequest
from coachops.jobs.ids import parse_job_id
from coachops.jobs.schedules import Schedule, load_schedules

GOOD_WORK = """
[[work]]
kind = "export"
cron = "0 5 * * *"
parameters = { formats = ["csv"], datasets = ["sessions"] }
"""

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


def test_without_a_file_backups_drills_and_checks_run(tmp_path: Path) -> None:
    found = load_schedules(load_settings(), tmp_path / "schedule.toml")
    assert {row.kind for row in found} == {"backup", "drill", "integrity", "retention"}


def test_backups_of_sqlite_are_never_fifteen_minutes_apart(tmp_path: Path) -> None:
    rows = load_schedules(load_settings(home=tmp_path), tmp_path / "schedule.toml")
    (row,) = (row for row in rows if row.kind == "backup")
    now = dt.datetime(2026, 3, 29, 0, 0, tzinfo=clock.UTC)  # a day of a clock change
    slots = {row.last_due(now + dt.timedelta(minutes=minute)) for minute in range(1440)}
    between = [later - earlier for earlier, later in itertools.pairwise(sorted(slots))]
    assert max(between) <= dt.timedelta(minutes=10)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[[schedule]]\nreport = "nowhere"\ncron = "0 6 * * 1"', "COACH-REP-001"),
        ('[[work]]\nkind = "send"\ncron = "0 6 * * 1"', "COACH-REP-006"),
        ('[[work]]\nkind = "backup"\ncron = "often"', "COACH-REP-006"),
        ('[[work]]\nkind = "drill"\ncron = "0 6 * * 1"\nparameters = {a = 1}', "COACH-REP-006"),
        ('[[work]]\nkind = "export"\ncron = "0 6 * * 1"\nparameters = {a = 1}', "COACH-REP-006"),
        (
            '[[work]]\nkind = "export"\ncron = "0 6 * * 1"\nparameters = {formats = ["odt"]}',
            "COACH-EXP-002",
        ),
        ("[[work", "COACH-REP-006"),
    ],
)
def test_a_mistake_in_the_file_is_told_and_stops_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, code: str
) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(text + "\n" + GOOD_WORK)
    found = load_schedules(load_settings(home=tmp_path), path)
    assert [record.__dict__["code"] for record in caplog.records] == [code]
    readable = not text.endswith("[[work")
    assert {row.kind for row in found} == {
        "backup", "drill", "integrity", "retention", *(["export"] if readable else []),
    }  # fmt: skip


def test_a_row_of_the_file_replaces_the_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(
        '[[work]]\nkind = "backup"\ncron = "*/5 * * * *"\n'
        '[[work]]\nkind = "drill"\ncron = "never"\n' + GOOD_WORK
    )
    found = {row.kind: row for row in load_schedules(load_settings(home=tmp_path), path)}
    assert found.keys() == {"backup", "integrity", "retention", "export"}
    assert found["backup"].cron == "*/5 * * * *"
    job = found["export"].job(dt.datetime(2026, 1, 5, 6, tzinfo=clock.UTC))
    key, request = found["export"].arguments(job)
    assert str(job) == f"export/{key}/1"
    assert ExportRequest.from_json(request) == ExportRequest(
        formats=("csv",), datasets=("sessions",)
    )
    assert found["backup"].arguments(job) == ()


def test_a_slot_names_its_job_and_other_parameters_another_one() -> None:
    slot = dt.datetime(2026, 1, 5, 6, tzinfo=clock.UTC)
    plain = Schedule("weekly", "0 6 * * 1", LONDON)
    other = Schedule("weekly", "0 6 * * 1", LONDON, '{"weeks": 4}')
    assert str(plain.job(slot)) == "report/weekly/2026-01-05T0600Z/1"
    assert str(other.job(slot)).startswith("report/weekly/2026-01-05T0600Z-")
    assert parse_job_id(str(other.job(slot))) == other.job(slot)
