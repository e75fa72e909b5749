"""The boundary: hosts, origins, sizes, headers, and that no failure shows its inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.api.boundary import SMALL_BODY, origin_of
from coachops.api.problems import STATUS, TITLES, answer
from coachops.core import ids
from coachops.core.errors import CoachError, Kind
from coachops.db import Database
from coachops.telemetry.logs import JsonFormatter, PlainFormatter
from tests.api.conftest import ORIGIN, Site


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:8001", "127.0.0.1:8000", "LOCALHOST:8000", ""]
)
def test_other_hosts_are_sent_away(site: Site, host: str) -> None:
    for path in ("/login", "/v1/me", "/static/site.css", "/openapi.json"):
        response = site.client.get(path, headers={"Host": host})
        assert (response.status_code, response.json()["code"]) == (421, "COACH-API-003")
        assert ORIGIN in response.json()["detail"]
    for path in ("/healthz", "/readyz", "/metrics"):
        assert site.client.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", f"{ORIGIN}.evil.example"])
def test_what_changes_something_must_come_from_our_pages(
    site: Site, method: str, origin: str | None
) -> None:
    headers = {"Origin": origin} if origin else {}
    response = site.client.request(method, "/logout", headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "COACH-API-004")


def test_programs_need_no_origin_but_must_not_carry_a_foreign_one(site: Site) -> None:
    site.add("robot@example.org", "service")
    token = site.token("robot@example.org", "transcripts:read")
    assert site.client.post("/v1/transcripts", headers=token).status_code == 422
    evil = token | {"Origin": "http://evil.example"}
    assert site.client.post("/v1/transcripts", headers=evil).status_code == 403


def test_large_bodies_are_refused_before_they_are_read(site: Site) -> None:
    response = site.post("/login", data={"email": "x" * (SMALL_BODY + 1)})
    assert (response.status_code, response.json()["code"]) == (413, "COACH-API-005")  # type: ignore[attr-defined]
    headers = {"Origin": ORIGIN, "Content-Length": "many"}
    assert site.client.post("/login", headers=headers).status_code == 413


def test_a_body_without_a_length_is_cut_at_the_limit(site: Site) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 10_000
            yield b"x" * 10_000

    headers = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
    response = site.client.post("/login", content=endless(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "COACH-API-005")


def test_a_body_of_two_lengths_is_refused_and_the_connection_ends(site: Site) -> None:
    both = {"Origin": ORIGIN, "Content-Length": "4", "Transfer-Encoding": "chunked"}
    response = site.client.post("/login", content=b"a=1&", headers=both)
    assert (response.status_code, response.headers["connection"]) == (422, "close")
    assert site.client.get("/healthz", headers=both).status_code == 422
    assert "connection" not in site.client.get("/healthz").headers


def test_every_answer_has_an_id_and_security_headers(site: Site) -> None:
    seen = set()
    for path in ("/login", "/nothing", "/v1/me", "/healthz", "/static/site.css"):
        headers = site.client.get(path).headers
        seen.add(headers["x-request-id"])
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
        assert "server" not in headers
    assert len(seen) == 5


def test_errors_are_problems_for_programs_and_pages_for_people(site: Site) -> None:
    for path, method, status, code in (
        ("/nothing", "GET", 404, "COACH-API-001"),
        ("/v1/nothing", "GET", 404, "COACH-API-001"),
        ("/v1/me", "GET", 401, "COACH-IDN-002"),
        ("/v1/me", "DELETE", 405, "COACH-API-002"),
        ("/login", "DELETE", 405, "COACH-API-002"),
        ("/v1/transcripts/not-an-id", "GET", 401, "COACH-IDN-002"),
    ):
        response = site.client.request(method, path, headers={"Origin": ORIGIN})
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert (body["status"], body["code"]) == (status, code)
        assert body["request_id"] == response.headers["x-request-id"]
        assert body["title"]
        assert body["detail"]
        assert body["next_step"]
    page = site.client.get("/nothing<script>", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "COACH-API-001" in page.text
    assert "<script" not in page.text
    api = site.client.get("/v1/nothing", headers={"Accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"


def test_every_kind_of_error_has_a_status_and_a_title() -> None:
    assert set(STATUS) == set(TITLES) == set(Kind)
    assert all(400 <= status < 600 for status in STATUS.values())


def test_what_nobody_foresaw_shows_and_logs_nothing_of_the_data(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    words = "the words " + "of a client"

    @site.client.app.get("/broken")  # type: ignore[attr-defined]
    def broken() -> None:
        raise ValueError(words)

    with caplog.at_level(logging.ERROR):
        response = site.client.get("/broken")
    assert (response.status_code, response.json()["code"]) == (500, "COACH-SYS-003")
    assert words not in response.text + caplog.text
    assert response.json()["request_id"] in caplog.text
    assert "in broken" in caplog.text  # where it happened is logged


def test_a_database_that_is_away_is_told_as_such(make_site: Callable[..., Site]) -> None:
    lost = make_site(database=Database("postgresql+psycopg://u:hidden@127.0.0.1:1/x"))
    cookie = lost.services.identity.cookie_for(ids.new_id())
    response = lost.client.get("/v1/me", headers={"Cookie": f"coachops_session={cookie}"})
    assert (response.status_code, response.json()["code"]) == (503, "COACH-DB-001")
    assert response.headers["retry-after"] == "5"
    assert "hidden" not in response.text
    assert lost.client.get("/readyz").status_code == 503
    assert lost.client.get("/readyz").json()["checks"]["database"] == "COACH-DB-001"
    assert "coachops_database_up 0" in lost.client.get("/metrics").text
    assert lost.client.get("/healthz").status_code == 200


def test_https_brings_hsts(make_site: Callable[..., Site]) -> None:
    site = make_site(public_url="https://coaching.example.org")
    assert site.client.get("/login").headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Coaching.Example.org:443/x", "https://coaching.example.org"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_origins_are_written_as_browsers_do(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@given(st.text(max_size=60))
def test_errors_never_break_the_answer(text: str) -> None:
    error = CoachError("COACH-CCH-001", what="client", ref=text)
    for path, accept in (("/v1/x", b""), ("/x", b"text/html")):
        scope = {"type": "http", "path": path, "headers": [(b"accept", accept)], "request_id": "r"}
        response = answer(error, scope)
        assert response.status_code == 404


def test_a_problem_names_its_page_of_the_guide_its_cause_and_who_can_mend_it(site: Site) -> None:
    body = site.client.get("/v1/me").json()
    assert body["type"] == f"{ORIGIN}/guide/reference/errors/coach-idn-002/"
    assert body["who"] == "you"
    assert {"why", "next_step", "retryable", "request_id", "code", "kind"} <= body.keys()
    assert "page" not in body


def test_an_id_of_the_caller_is_taken_over_when_it_is_well_formed(site: Site) -> None:
    for sent in ("checkout-2026.11_23", "0" * 64, "a" * 8):
        response = site.client.get("/v1/me", headers={"X-Request-ID": sent})
        assert response.headers["x-request-id"] == response.json()["request_id"] == sent
    for odd in (
        "short",
        "a" * 65,
        "with space",
        "<script>alert(1)</script>",
        "-leading",
        "a;b;c;d;e",
    ):
        response = site.client.get("/v1/me", headers={"X-Request-ID": odd})
        assert response.headers["x-request-id"] == response.json()["request_id"] != odd
        assert len(response.json()["request_id"]) == 32


def test_the_page_and_the_log_carry_the_same_id(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    @site.client.app.get("/noisy")  # type: ignore[attr-defined]
    def noisy() -> None:
        record = logging.LogRecord("coachops.api", logging.ERROR, "", 0, "told", (), None)
        print(JsonFormatter().format(record))  # noqa: T201 read below
        print(PlainFormatter().format(record))  # noqa: T201 as above
        raise CoachError("COACH-AI-003", reason="no answer", retry_after=599.2)

    headers = {"Accept": "text/html", "X-Request-ID": "from-the-proxy-1"}
    response = site.client.get("/noisy", headers=headers)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "600"
    assert "from-the-proxy-1" in response.text
    assert 'href="/guide/reference/errors/coach-ai-003/"' in response.text
    as_json, plain = capsys.readouterr().out.splitlines()
    assert json.loads(as_json)["request_id"] == "from-the-proxy-1"
    assert plain.endswith("told [from-the-proxy-1]")


def test_nothing_carries_an_id_outside_of_a_request(site: Site) -> None:
    site.client.get("/healthz")
    assert CoachError("COACH-API-001").request_id == ""


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0, "0"), (1.2, "2"), ("soon", "5"), (-3, "5"), (1e12, "5"), (None, "5")],
)
def test_only_sensible_waits_are_handed_on(seconds: object, header: str) -> None:
    error = CoachError("COACH-AI-003", reason="no answer", retry_after=seconds)
    scope = {"type": "http", "path": "/v1/x", "headers": []}
    assert answer(error, scope).headers["retry-after"] == header


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_may_ask_for_the_head_only(site: Site, path: str) -> None:
    response = site.client.head(path)
    assert response.status_code == 200
    assert response.content == b""
