"""What is kept: days, weeks, months, the last day whole, and never less than the last proof."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from hypothesis import given, settings
from hypothesis import strategies as st

from coachops.backup.retention import ALL_WITHIN, Kept, Policy, to_keep

NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
LONDON = zoneinfo.ZoneInfo("Europe/London")

policies = st.builds(
    Policy, days=st.integers(0, 9), weeks=st.integers(0, 6), months=st.integers(0, 14)
)
shelves = st.lists(
    st.tuples(st.integers(0, 500 * 24 * 60), st.booleans()), max_size=80, unique_by=lambda t: t[0]
).map(
    lambda found: [
        Kept(f"b{minutes:07}", NOW - dt.timedelta(minutes=minutes), proven)
        for minutes, proven in found
    ]
)


@given(shelves, policies)
def test_keeping_twice_keeps_the_same(shelf: list[Kept], policy: Policy) -> None:
    kept = to_keep(shelf, NOW, policy, LONDON)
    assert kept <= {one.id for one in shelf}
    assert to_keep([one for one in shelf if one.id in kept], NOW, policy, LONDON) == kept


@given(shelves, policies)
def test_the_newest_the_newest_proof_and_the_last_day_stay(
    shelf: list[Kept], policy: Policy
) -> None:
    kept = to_keep(shelf, NOW, policy, LONDON)
    newest_first = sorted(shelf, key=lambda one: one.made_at, reverse=True)
    proven = [one for one in newest_first if one.proven]
    assert {one.id for one in newest_first[:1]} <= kept
    assert {one.id for one in proven[:1]} <= kept
    assert {one.id for one in shelf if NOW - one.made_at <= ALL_WITHIN} <= kept


@given(shelves, policies)
def test_beyond_the_last_day_no_more_stay_than_the_policy_says(
    shelf: list[Kept], policy: Policy
) -> None:
    older = [one for one in shelf if NOW - one.made_at > ALL_WITHIN]
    kept = to_keep(shelf, NOW, policy, LONDON)
    limit = policy.days + policy.weeks + policy.months + 2  # the newest, the newest proof
    assert len([one for one in older if one.id in kept]) <= limit


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(20, 420), st.randoms(use_true_random=False))
def test_pruning_after_each_backup_leaves_seven_days_five_weeks_twelve_months(
    every_hours: int, days: int, chance: object
) -> None:
    policy, shelf = Policy(), list[Kept]()
    moment = NOW - dt.timedelta(days=days)
    while moment <= NOW:
        shelf.append(Kept(f"{moment:%Y%m%d%H}", moment))
        kept = to_keep(shelf, moment, policy, LONDON)
        shelf = [one for one in shelf if one.id in kept]
        moment += dt.timedelta(hours=every_hours)
    local = [one.made_at.astimezone(LONDON) for one in shelf]
    assert len({each.date() for each in local}) >= min(7, days * 24 // max(24, every_hours))
    assert len({each.isocalendar()[:2] for each in local}) >= min(5, days // 7)
    assert len({(each.year, each.month) for each in local}) >= min(12, days // 31)


def test_what_an_incremental_backup_needs_stays_with_it() -> None:
    old = [Kept(f"old{n}", NOW - dt.timedelta(days=100, minutes=n)) for n in range(3)]
    chain = [
        Kept("full", NOW - dt.timedelta(days=99)),
        Kept("middle", NOW - dt.timedelta(days=98), needs=("full",)),
        Kept("top", NOW, needs=("middle",)),
    ]
    kept = to_keep([*old, *chain], NOW, Policy(1, 0, 0))
    assert kept == {"full", "middle", "top"}


def test_the_setting_is_read() -> None:
    assert Policy.parse("7d 5w 12m") == Policy(7, 5, 12)
