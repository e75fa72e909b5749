"""Fault 45: tokens that ended, were taken back or are for something else; and guessing at the door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import AuditEvent
from coachops.identity import FailureLimit
from coachops.identity.limits import FAILURES, WINDOW
from tests.api.conftest import ORIGIN, Site, _cheap_hashes, make_site

__all__ = ["_cheap_hashes", "make_site"]

ROBOT = "robot@example.org"


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with a robot that may read."""
    site = make_site()
    site.add(ROBOT, "service")
    return site


def acts(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)))


def refused(site: Site, headers: dict[str, str], status: int, code: str) -> None:
    """The answer is a whole problem, with this status and code."""
    for path in ("/v1/transcripts/0192f0c1-2b3c-7d4e-8f50-123456789abc", "/v1/me"):
        response = site.client.get(path, headers=headers)
        body = response.json()
        if (status, path) == (403, "/v1/me"):
            assert response.status_code == 200  # who am I needs no scope
            continue
        assert response.status_code == status, path
        assert response.headers["content-type"] == "application/problem+json"
        assert (body["status"], body["code"]) == (status, code)
        assert body["type"] == f"{ORIGIN}/guide/reference/errors/{code.lower()}/"
        assert body["request_id"] == response.headers["x-request-id"]
        assert body["why"]
        assert body["next_step"]
        assert ("WWW-Authenticate" in response.headers) == (status == 401)
        secret = headers.get("Authorization", "").removeprefix("Bearer ").strip()
        assert len(secret) < 5 or secret not in response.text


@pytest.mark.faults(45)
def test_a_token_whose_time_has_passed(site: Site) -> None:
    token = site.token(ROBOT, "transcripts:read")
    assert site.client.get("/v1/me", headers=token).status_code == 200
    with clock.frozen(clock.now() + dt.timedelta(days=91)):
        refused(site, token, 401, "COACH-IDN-012")


@pytest.mark.faults(45)
def test_a_token_that_was_taken_back(site: Site) -> None:
    token = site.token(ROBOT, "transcripts:read")
    identity = site.services.identity
    identity.revoke_token(SYSTEM, identity.list_tokens(SYSTEM)[0].id)
    refused(site, token, 401, "COACH-IDN-012")
    identity.disable(SYSTEM, ROBOT)
    refused(site, token, 401, "COACH-IDN-012")


@pytest.mark.faults(45)
def test_a_token_of_a_disabled_user(site: Site) -> None:
    token = site.token(ROBOT, "transcripts:read")
    site.services.identity.disable(SYSTEM, ROBOT)
    refused(site, token, 401, "COACH-IDN-012")


@pytest.mark.faults(45)
def test_a_token_of_another_scope(site: Site) -> None:
    token = site.token(ROBOT, "transcripts:write")
    refused(site, token, 403, "COACH-IDN-015")


@pytest.mark.faults(45)
@pytest.mark.parametrize(
    "value",
    [
        "Bearer ", "Bearer x", "bearer coa_", "Bearer coa_ä", "Bearer " + "x" * 4000, "Bearer \x01",
        "Bearer coa_a b c", "Bearer None", "Bearer null", "Bearer ' OR 1=1 --",
    ],
)  # fmt: skip
def test_something_that_is_no_token(site: Site, value: str) -> None:
    raw = {"Authorization": value.encode("utf-8")}
    response = site.client.get("/v1/me", headers=raw)  # type: ignore[arg-type]  # bytes are sent as they are
    assert (response.status_code, response.json()["code"]) == (401, "COACH-IDN-012")


@pytest.mark.faults(45)
def test_another_way_of_signing_in_is_not_taken_for_a_token(site: Site) -> None:
    refused(site, {"Authorization": "Basic cm9ib3Q6eA=="}, 401, "COACH-IDN-002")


def test_a_flood_of_bad_tokens_is_slowed_and_good_ones_pass(site: Site) -> None:
    good = site.token(ROBOT, "transcripts:read")
    for _ in range(FAILURES):
        refused_once = site.client.get("/v1/me", headers={"Authorization": "Bearer coa_wrong"})
        assert refused_once.status_code == 401
    slowed = site.client.get("/v1/me", headers={"Authorization": "Bearer coa_wrong"})
    assert (slowed.status_code, slowed.json()["code"]) == (429, "COACH-IDN-014")
    assert 0 < int(slowed.headers["retry-after"]) <= WINDOW
    assert site.client.get("/v1/me", headers=good).status_code == 200


def test_an_ended_token_that_goes_on_calling_fills_no_record(site: Site) -> None:
    token = site.token(ROBOT, "transcripts:read")
    identity = site.services.identity
    identity.revoke_token(SYSTEM, identity.list_tokens(SYSTEM)[0].id)
    with clock.frozen(clock.now()):  # in one minute, however slow the machine is
        for _ in range(15):
            site.client.get("/v1/me", headers=token)
    assert acts(site.services.database).count("token.refused") == 1


def test_guessing_passwords_from_one_address_has_to_wait(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("ada@example.org", "admin")
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)

    def guess(number: int) -> int:
        email = f"nobody{number}@example.org"
        response = site.client.post(
            "/login", data={"email": email, "password": "wrong"}, headers={"Origin": ORIGIN}
        )
        if response.status_code == 429:
            assert 0 < int(response.headers["retry-after"]) <= WINDOW
            assert "COACH-IDN-014" in response.text
            assert "Wait 10 minutes" in response.text
        return response.status_code

    with clock.frozen(clock.now()):
        assert [guess(number) for number in range(FAILURES + 3)] == [401] * FAILURES + [429] * 3
    recorded = acts(site.services.database).count("sign_in.failed")
    assert recorded == 1  # unknown accounts: one a minute


def test_tries_at_a_locked_account_are_recorded_once_a_minute(site: Site) -> None:
    identity = site.services.identity
    site.add("ada@example.org", "admin")
    now = clock.now()
    with clock.frozen(now):
        for _ in range(12):
            with pytest.raises(Exception, match="COACH-IDN-001"):
                identity.sign_in("ada@example.org", "wrong")
    assert acts(site.services.database).count("sign_in.failed") == 5  # the five that counted
    later = now + dt.timedelta(minutes=2)
    with clock.frozen(later), pytest.raises(Exception, match="COACH-IDN-001"):
        identity.sign_in("ada@example.org", "wrong")
    assert acts(site.services.database).count("sign_in.failed") == 6


def test_behind_an_unnamed_proxy_nobody_is_refused_for_others(
    make_site: Callable[..., Site], home: Path
) -> None:
    site = make_site(public_url="https://coaching.example.org")
    for _ in range(FAILURES + 5):
        response = site.client.get("/v1/me", headers={"Authorization": "Bearer coa_wrong"})
        assert response.status_code == 401


def test_the_limit_forgets_and_tells_addresses_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    limit = FailureLimit(failures=2, window=60)
    for address in ("10.0.0.1", "::ffff:10.0.0.1"):
        limit.failed(address)
    with pytest.raises(Exception, match="COACH-IDN-014"):
        limit.check("10.0.0.1")
    limit.check("10.0.0.2")
    limit.check("")
    for address in ("2001:db8::1", "2001:db8::2"):
        limit.failed(address)
    with pytest.raises(Exception, match="COACH-IDN-014"):
        limit.check("2001:db8::ffff")
    limit.check("2001:db8:0:1::1")
    now += 61
    limit.check("10.0.0.1")


def test_the_limit_remembers_a_bounded_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coachops.identity.limits._ADDRESSES", 10)
    limit = FailureLimit(failures=1)
    for number in range(50):
        limit.failed(f"10.0.0.{number}")
    assert len(limit._seen) == 10
