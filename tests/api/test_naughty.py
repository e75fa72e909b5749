"""No input makes any route fail: whatever is sent, the answer has a code and is no 500."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from httpx import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from coachops.core.errors import CATALOGUE
from coachops.db import Database
from tests.api.conftest import ORIGIN, Site

NAUGHTY = (
    "", " ", "\x00", "a\x00b", "\u202eevil", "\ud7ff", "\U0001f600" * 50, "x" * 5000, "-1", "1e999",
    str(2**70), "NaN", "null", "true", "[]", "{}", "' OR '1'='1", "\"; DROP TABLE users; --",
    "<script>alert(1)</script>", "../../etc/passwd", "%2e%2e%2f", "{{7*7}}", "${jndi:ldap://x}",
    "\r\nSet-Cookie: a=b", "=cmd()", "0001-01-01", "9999-12-31T23:59:59.999999+14:00", "2026-02-30",
    str(uuid.UUID(int=0)), "COACH-TRN-001", "\ufeff", "a" * 70 + "@example.org", "\x7f\x1b[2J",
)  # fmt: skip

text = st.sampled_from(NAUGHTY) | st.text(max_size=40)
scalar = st.none() | st.booleans() | st.integers() | st.floats() | text
document = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
CONTENT_TYPES = (
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=x", "text/plain", "application/problem+json", "", "\xff",
    "application/json; charset=utf-7", "application/x-www-form-urlencoded; charset=nonsense",
)  # fmt: skip


def routes(site: Site) -> list[tuple[str, str, tuple[str, ...]]]:
    """Method, path and names of parameters and fields of every route."""
    found = []
    for part in site.client.app.routes:  # type: ignore[attr-defined]  # a FastAPI
        for route in getattr(getattr(part, "original_router", None), "routes", ()):
            if isinstance(route, APIRoute):
                known = route.dependant
                names = [each.alias for each in (*known.query_params, *known.body_params)]
                found += [
                    (method, route.path, tuple(names or ["x"])) for method in sorted(route.methods)
                ]
    return sorted(found)


@pytest.fixture
def open_site(make_site: Callable[..., Site], database: Database) -> Site:
    """A site on each kind of database, with an admin who is signed in."""
    site = make_site(database=database)
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    return site


@st.composite
def bodies(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[dict[str, object], dict[str, bytes]]:
    """A body of some kind, as arguments of a request and headers."""
    form = {name: draw(text) for name in names}
    match draw(st.sampled_from(["form", "json", "files", "raw"])):
        case "form":
            return {"data": form}, {}
        case "json":
            return {"content": json.dumps(draw(document))}, {"Content-Type": b"application/json"}
        case "files":
            inside = draw(st.binary(max_size=200) | text.map(str.encode))
            return {"data": form, "files": {name: (draw(text), inside) for name in names}}, {}
        case _:
            sent = draw(st.sampled_from(CONTENT_TYPES)).encode("latin-1")
            return {"content": draw(st.binary(max_size=200))}, {"Content-Type": sent}


def check(response: Response, sent: str) -> None:
    """The answer is no failure of ours, and every refusal has a code."""
    said = f"{sent}: {response.text[:300]}"
    if response.status_code >= 500:
        assert response.status_code == 503, said
    if response.status_code < 400 or sent.startswith("HEAD"):
        return
    found = re.findall(r"COACH-[A-Z]{2,3}-\d{3}", response.text)
    assert found, said
    assert "COACH-SYS-003" not in found, said
    if response.headers["content-type"].startswith("application/problem+json"):
        assert response.json()["status"] == response.status_code
        assert response.json()["code"] in CATALOGUE


def test_every_route_survives_whatever_is_sent(open_site: Site) -> None:
    site = open_site
    cookies = dict(site.client.cookies)
    site.add("robot@example.org", "service")
    token = site.token("robot@example.org", "transcripts:read", "transcripts:write")
    bearer = {name: value.encode() for name, value in token.items()}
    known = routes(site)
    assert {"/v1/transcripts", "/login", "/healthz"} < {path for _, path, _ in known}
    odd = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))

    @settings(max_examples=250)
    @given(st.data())
    def send(data: st.DataObject) -> None:
        method, path, names = data.draw(st.sampled_from(known))
        address = re.sub(r"\{[^}]*\}", lambda _: quote(data.draw(text), safe="") or "-", path)
        body, headers = data.draw(bodies(names)) if method == "POST" else ({}, {})
        site.client.cookies.clear()
        who = data.draw(st.sampled_from(["nobody", "person", "program", "odd"]))
        if who == "person":
            site.client.cookies.update(cookies)
        headers |= bearer if who == "program" else {"Origin": ORIGIN.encode()}
        if who == "odd":
            headers["Authorization"] = data.draw(odd)
        if data.draw(st.booleans()):
            headers["Accept"] = b"text/html"
        query = {data.draw(st.sampled_from(names)): data.draw(text) for _ in range(2)}
        response = site.client.request(method, address, params=query, headers=headers, **body)  # type: ignore[arg-type]  # bytes are sent as they are
        check(response, f"{method} {address} {query} {body} as {who}")

    send()


def test_signing_in_with_odd_words_is_only_a_wrong_password(open_site: Site) -> None:
    open_site.client.app.state.context.guesses.check = lambda _: None  # type: ignore[attr-defined]  # not what is tested
    for value in NAUGHTY:
        form = {"email": value, "password": value, "next": value}
        response = open_site.client.post("/login", data=form, headers={"Origin": ORIGIN})
        assert response.status_code in {401, 422}, (value, response.text[:300])


def test_odd_addresses_are_only_not_found(open_site: Site) -> None:
    for value in NAUGHTY:
        for path in ("/link/{}", "/v1/transcripts/{}", "/guide/{}", "/f/{}", "/app/{}", "/{}"):
            address = path.format(quote(value, safe=""))
            response = open_site.client.get(address)
            assert response.status_code < 500 or "COACH-API-007" in response.text, address
