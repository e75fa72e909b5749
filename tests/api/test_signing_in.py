"""The pages of signing in: password, links, cookie, where each role lands, and no way out of the site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.api.signing_in import local_path
from coachops.core.actor import SYSTEM
from tests.api.conftest import PASSWORD, Site, title_of
from tests.coaching.builders import make_pair

COOKIE = "coachops_session"


def test_each_role_lands_where_it_works(site: Site) -> None:
    pair = make_pair(site.services.database)
    site.add("ada@example.org", "admin")
    site.add("ines@example.org", "analyst")
    for email, home in (
        ("ada@example.org", "/app/overview"),
        ("ines@example.org", "/guide/"),
        (site.email_of(pair), "/app/workspace"),
    ):
        site.client.cookies.clear()
        assert site.client.get("/").headers["location"] == "/login"
        site.sign_in(email)
        assert site.client.get("/").headers["location"] == home
        assert site.client.get("/login").headers["location"] == "/"


def test_a_failed_sign_in_keeps_the_e_mail_and_says_what_to_do(site: Site) -> None:
    site.add("ada@example.org", "admin")
    response = site.post(
        "/login",
        data={"email": 'ada@example.org"><script>', "password": "wrong", "next": "/guide/x/"},
    )
    assert response.status_code == 401  # type: ignore[attr-defined]
    html = response.text  # type: ignore[attr-defined]
    assert "COACH-IDN-001" in html
    assert 'role="alert"' in html
    assert "<script" not in html
    assert 'value="/guide/x/"' in html
    assert "wrong" not in html.replace("is wrong", "")
    assert COOKIE not in response.headers.get("set-cookie", "")  # type: ignore[attr-defined]


def test_after_signing_in_the_wanted_page_opens(site: Site) -> None:
    site.add("ada@example.org", "admin")
    for wanted, lands in (
        ("/app/overview", "/app/overview"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/app/..//evil.example", "/"),
        ("/app/\\evil.example", "/"),
        ("/logout", "/"),
    ):
        form = {"email": "ada@example.org", "password": PASSWORD, "next": wanted}
        assert site.post("/login", data=form).headers["location"] == lands  # type: ignore[attr-defined]


@given(st.text(max_size=50), st.sampled_from(["", "/app/", "/guide/", "/account"]))
def test_no_next_leads_out_of_the_site(text: str, start: str) -> None:
    path = local_path(start + text)
    assert path == "" or (path.startswith(("/app/", "/guide/", "/account")) and "//" not in path)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    site: Site, make_site: Callable[..., Site]
) -> None:
    site.add("ada@example.org", "admin")
    form = {"email": "ada@example.org", "password": PASSWORD}
    cookie = site.post("/login", data=form).headers["set-cookie"]  # type: ignore[attr-defined]
    assert cookie.startswith(f"{COOKIE}=")
    for flag in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert flag in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    public = "https://coaching.example.org"
    secure = make_site(public_url=public, database=site.services.database)
    response = secure.client.post("/login", data=form, headers={"Origin": public})
    assert response.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")
    assert "Secure" in response.headers["set-cookie"]


def test_signing_out_ends_the_session_not_only_the_cookie(site: Site) -> None:
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    cookie = site.client.cookies[COOKIE]
    assert site.client.get("/v1/me").status_code == 200
    response = site.post("/logout")
    assert response.headers["location"] == "/login"  # type: ignore[attr-defined]
    assert "Max-Age=0" in response.headers["set-cookie"]  # type: ignore[attr-defined]
    kept = site.client.get("/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert kept.status_code == 401
    assert site.post("/logout").status_code == 303  # type: ignore[attr-defined]


def test_signing_in_again_ends_the_sign_in_that_the_browser_had(site: Site) -> None:
    ada = site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    first = site.client.cookies[COOKIE]
    site.sign_in("ada@example.org")
    second = site.client.cookies[COOKIE]
    site.post(f"/link/{site.services.identity.sign_in_link(SYSTEM, ada)}")
    third = site.client.cookies[COOKIE]
    site.client.cookies.clear()
    asked = [
        site.client.get("/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code
        for cookie in (first, second, third)
    ]
    assert asked == [401, 401, 200]


def test_an_invitation_leads_to_a_password_and_in(site: Site) -> None:
    ben = site.services.identity.add_user(SYSTEM, "ben@example.org", "Ben <b>", "analyst")
    token = site.services.identity.invite_link(SYSTEM, ben.id)
    shown = site.client.get(f"/link/{token}")
    assert title_of(shown.text) == "Welcome, Ben &lt;b&gt;"
    assert shown.headers["cache-control"] == "no-store"
    for first, again, word in (("short", "short", "12 characters"), (PASSWORD, "other", "twice")):
        refused = site.post(f"/link/{token}", data={"password": first, "repeated": again})
        assert refused.status_code == 422  # type: ignore[attr-defined]
        assert word in refused.text  # type: ignore[attr-defined]
    form = {"password": PASSWORD, "repeated": PASSWORD}
    assert site.post(f"/link/{token}", data=form).headers["location"] == "/"  # type: ignore[attr-defined]
    assert site.client.get("/v1/me").json()["role"] == "analyst"
    used = site.client.get(f"/link/{token}")
    assert (used.status_code, title_of(used.text)) == (410, "This link no longer works")
    assert site.post(f"/link/{token}", data=form).status_code == 410  # type: ignore[attr-defined]


def test_a_sign_in_link_needs_one_click_and_no_password(site: Site) -> None:
    ada = site.add("ada@example.org", "admin")
    token = site.services.identity.sign_in_link(SYSTEM, ada)
    assert "Sign in as Ada" in site.client.get(f"/link/{token}").text
    assert site.client.get("/v1/me").status_code == 401  # looking signed nobody in
    site.post(f"/link/{token}")
    assert site.client.get("/v1/me").json()["user_id"] == str(ada)


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "..%2f..", "%ff"])
def test_links_that_never_were_answer_as_used_ones(site: Site, token: str) -> None:
    assert site.client.get(f"/link/{token}").status_code in {404, 410}


def test_a_password_is_changed_from_inside(site: Site) -> None:
    site.add("ada@example.org", "admin")
    assert site.client.get("/account").status_code == 401
    site.sign_in("ada@example.org")
    new = "another long sentence"
    for form, status in (
        ({"old": "wrong", "password": new, "repeated": new}, 401),
        ({"old": PASSWORD, "password": new, "repeated": "other"}, 422),
        ({"old": PASSWORD, "password": "short", "repeated": "short"}, 422),
        ({"old": PASSWORD, "password": new, "repeated": new}, 200),
    ):
        assert site.post("/account", data=form).status_code == status  # type: ignore[attr-defined]
    assert site.client.get("/account").status_code == 200


def test_the_pages_need_nothing_from_elsewhere_and_no_script(site: Site) -> None:
    ada = site.add("ada@example.org", "admin")
    token = site.services.identity.invite_link(SYSTEM, ada)
    for path in ("/login", f"/link/{token}", "/nothing"):
        html = site.client.get(path, headers={"Accept": "text/html"}).text
        assert "http://" not in html
        assert "https://" not in html
        assert "<script" not in html
        assert "style=" not in html  # the policy allows style sheets only
    for name in ("site.css", "icon.svg"):
        assert site.client.get(f"/static/{name}").status_code == 200
