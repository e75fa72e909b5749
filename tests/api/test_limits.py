"""A limit on requests per token: told in headers, refused with the seconds to wait, then let in again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core import clock
from coachops.identity import RequestLimit
from tests.api.conftest import Site
from tests.support.patience import PATIENCE


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the monotonic clock on by some seconds."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    def later(seconds: float) -> None:
        now[0] += seconds

    return later


def test_a_token_is_told_its_limit_and_refused_beyond_it(
    make_site: Callable[..., Site],
    moment: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COACHOPS_REQUESTS_PER_MINUTE", "3")
    site = make_site()
    site.add("robot@example.org", "service")
    one, two = (site.token("robot@example.org", "transcripts:read") for _ in range(2))
    answers = [site.client.get("/v1/me", headers=one) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [each.headers["ratelimit"] for each in answers] == [
        '"default";r=2;t=20', '"default";r=1;t=40', '"default";r=0;t=60', '"default";r=0;t=20',
    ]  # fmt: skip
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"default";q=3;w=60'}
    last = answers[-1]
    assert (last.json()["code"], last.json()["retryable"]) == ("COACH-API-009", True)
    assert last.headers["retry-after"] == "20"
    assert re.search(r"\b3 requests", last.json()["detail"])
    assert (
        site.client.get("/v1/me", headers=two).status_code == 200
    )  # another token, another bucket
    moment(20)
    assert site.client.get("/v1/me", headers=one).status_code == 200
    assert site.client.get("/v1/transcripts/none", headers=one).status_code == 429


def test_a_person_in_a_browser_is_limited_too_and_pages_are_not(
    make_site: Callable[..., Site],
    moment: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COACHOPS_REQUESTS_PER_MINUTE", "1")
    site = make_site()
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    assert [site.client.get("/v1/me").status_code for _ in range(2)] == [200, 429]
    assert site.client.get("/healthz").status_code == 200
    assert "ratelimit" not in site.client.get("/healthz").headers


def test_zero_sets_no_limit(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_REQUESTS_PER_MINUTE", "0")
    site = make_site()
    site.add("robot@example.org", "service")
    token = site.token("robot@example.org", "transcripts:read")
    answers = [site.client.get("/v1/me", headers=token) for _ in range(5)]
    assert {each.status_code for each in answers} == {200}
    assert "ratelimit" not in answers[0].headers


def test_requests_at_the_same_moment_are_counted_each(moment: Callable[[float], None]) -> None:
    limit, together = RequestLimit(10), threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait(PATIENCE)
        taken = [limit.take("a") for _ in range(5)]
        return sum(each is not None and each.allowed for each in taken)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 10


@given(
    st.integers(1, 100),
    st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=60),
)
def test_no_minute_holds_more_than_twice_the_limit_and_a_wait_is_enough(
    per_minute: int, gaps: list[float]
) -> None:
    patch = pytest.MonkeyPatch()
    now = [0.0]
    patch.setattr(clock, "monotonic", lambda: now[0])
    try:
        limit, allowed = RequestLimit(per_minute), []
        for gap in gaps:
            now[0] += gap
            left = limit.take("a")
            assert left is not None
            if left.allowed:
                allowed.append(now[0])
                continue
            now[0] += left.wait
            again = limit.take("a")
            assert again is not None
            assert again.allowed
            allowed.append(now[0])
        for start in allowed:
            assert sum(start <= each < start + 60 for each in allowed) <= 2 * per_minute
    finally:
        patch.undo()
