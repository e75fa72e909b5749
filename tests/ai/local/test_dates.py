"""Due dates: the literal phrase, and a date only where a day was named."""

from __future__ import annotations

import datetime as dt

import pytest

from coachops.ai.providers.local.dates import find_due
from tests.ai.local.talk import MONDAY


@pytest.mark.parametrize(
    ("said", "phrase", "date"),
    [
        ("call her today", "today", "2026-11-23"),
        ("call her this evening", "this evening", "2026-11-23"),
        ("call her tomorrow morning", "tomorrow morning", "2026-11-24"),
        ("do it the day after tomorrow", "the day after tomorrow", "2026-11-25"),
        ("send it by Friday", "by Friday", "2026-11-27"),
        ("send it on Wednesday afternoon", "on Wednesday afternoon", "2026-11-25"),
        ("call him Thursday", "Thursday", "2026-11-26"),
        ("send it on Monday", "on Monday", "2026-11-30"),
        ("meet her this Friday", "this Friday", "2026-11-27"),
        ("meet her next Friday", "next Friday", "2026-12-04"),
        ("finish in two weeks", "in two weeks", "2026-12-07"),
        ("finish within 10 days", "within 10 days", "2026-12-03"),
        ("start in a week", "in a week", "2026-11-30"),
        ("look again in three months", "in three months", "2027-02-23"),
        ("two weeks from now", "two weeks from now", "2026-12-07"),
        ("by the end of the day", "by the end of the day", "2026-11-23"),
        ("by the end of the week", "by the end of the week", "2026-11-27"),
        ("by the end of next week", "by the end of next week", "2026-12-04"),
        ("by the end of the month", "by the end of the month", "2026-11-30"),
        ("by the end of next month", "by the end of next month", "2026-12-31"),
        ("by the end of the quarter", "by the end of the quarter", "2026-12-31"),
        ("by the end of January", "by the end of January", "2027-01-31"),
        ("over the weekend", "over the weekend", "2026-11-29"),
        ("send it on 3 December", "on 3 December", "2026-12-03"),
        ("send it by the 3rd of December", "by the 3rd of December", "2026-12-03"),
        ("send it by December 3rd", "by December 3rd", "2026-12-03"),
        ("send it by January 8", "by January 8", "2027-01-08"),
        ("send it by 2026-12-01", "by 2026-12-01", "2026-12-01"),
        ("send it by the 15th", "by the 15th", "2026-12-15"),
        # a phrase that names no day, or a day that does not exist
        ("look at it next week", "next week", None),
        ("finish it this week", "this week", None),
        ("finish it next month", "next month", None),
        ("read it in a couple of weeks", "in a couple of weeks", None),
        ("write it before our next session", "before our next session", None),
        ("write it before we meet again", "before we meet again", None),
        ("have it ready by next time", "by next time", None),
        ("send it by 31 February", "by 31 February", None),
    ],
)
def test_a_due_phrase_is_literal_and_counted_from_the_session(
    said: str, phrase: str, date: str | None
) -> None:
    due = find_due(f"I'll {said}.", MONDAY)
    assert due is not None
    assert (due.phrase, due.date) == (phrase, dt.date.fromisoformat(date) if date else None)


@pytest.mark.parametrize(
    "said",
    [
        "call her soon",
        "prepare the Friday meeting",
        "walk every Monday",
        "finish what I began last Friday",
        "think about what we discussed today",
        "drink less than seven in a week",
        "go for a run",
        "be careful, those 3 may help",
        "bring Friday's report",
    ],
)
def test_no_due_date_where_none_was_said(said: str) -> None:
    assert find_due(f"I'll {said}.", MONDAY) is None


def test_the_same_weekday_is_a_week_later() -> None:
    friday = dt.date(2026, 11, 27)
    due = find_due("I'll call by Friday", friday)
    assert due is not None
    assert due.date == dt.date(2026, 12, 4)


def test_end_of_the_week_on_a_saturday_is_its_sunday() -> None:
    due = find_due("by the end of the week", dt.date(2026, 11, 28))
    assert due is not None
    assert due.date == dt.date(2026, 11, 29)


@pytest.mark.parametrize("day", [dt.date.max, dt.date.min])
def test_the_edges_of_the_calendar_do_not_crash(day: dt.date) -> None:
    for said in (
        "tomorrow",
        "in 900 years",
        "next Friday",
        "by the end of next month",
        "by the 31st",
    ):
        find_due(f"I'll do it {said}", day)


@pytest.mark.parametrize(
    "said",
    [
        "talk to her on the walk, not this Sunday, the one after",
        "do it, but not on Friday",
        "drop you a message after Thursday",
        "write after next Monday",
    ],
)
def test_a_day_that_is_ruled_out_is_no_date(said: str) -> None:
    assert find_due(said, MONDAY) is None
