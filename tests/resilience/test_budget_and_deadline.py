"""The retry budget keeps its ratio; a deadline bounds everything that is handed it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core import clock
from coachops.resilience import Bucket, Deadline, RetryBudget

START = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
BUDGET = RetryBudget()


@given(st.lists(st.booleans(), max_size=400))
def test_retries_never_exceed_their_share_and_the_bucket(wishes: list[bool]) -> None:
    bucket, calls, retries = BUDGET.fresh(START), 0, 0
    for wants_retry in wishes:
        if wants_retry:
            granted, bucket = BUDGET.retry(bucket, START)
            retries += granted
        else:
            calls += 1
            bucket = BUDGET.first_try(bucket, START)
        assert 0 <= bucket.tokens <= BUDGET.size
        assert retries <= BUDGET.size + BUDGET.ratio * calls + 1e-6


def test_time_fills_the_bucket_slowly_and_a_clock_set_back_not_at_all() -> None:
    empty = Bucket(0.0, START)
    assert BUDGET.retry(empty, START) == (False, empty)
    assert BUDGET.retry(empty, START + dt.timedelta(minutes=3))[1].tokens == pytest.approx(2)
    assert BUDGET.retry(empty, START - dt.timedelta(days=1))[0] is False
    assert BUDGET.first_try(empty, START + dt.timedelta(days=1)).tokens == BUDGET.size


def test_what_is_handed_on_ends_no_later_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    whole = Deadline.after(10)
    assert whole.within(60) == whole
    assert whole.within(4).left() == 4
    now = 110.0
    assert whole.left() == 0
    assert whole.passed
    assert whole.within(4).passed
