"""Life of kernels: cold and warm starts, closed tabs, sign-out, limits, restarts of gate and Voila."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.identity import Identity
from tests.gate.conftest import GRACE, LIMIT, Gated, Tab
from tests.support.patience import until
from tests.support.suite import PASSWORD, PEOPLE

pytestmark = pytest.mark.browser

Tabs = Callable[..., Tab]


def test_a_kernel_started_on_demand_serves_as_a_warm_one_does(tabs: Tabs) -> None:
    tab = tabs("coach_a", "cold")
    assert "Anna Alder leaks=[]" in tab.live
    tab.page.fill("input[type=text]", "client-b1")
    tab.says("DENIED COACH-CCH-001")


def test_pages_opened_at_the_same_time_are_not_mixed_up(gated: Gated) -> None:
    people = ["coach_a", "coach_b", "coach_a"]  # two warm kernels, one on demand
    contexts = [gated.context(who) for who in people]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(f"{gated.suite.url}/app/dash", wait_until="commit")
    for page, who in zip(pages, people, strict=True):
        until(page.locator("#live").is_visible, said=partial(gated.told, page))
        assert PEOPLE[who].name in page.inner_text("#live")
    for context in contexts:
        context.close()


def test_kernels_of_closed_tabs_are_gone_in_time_and_others_stay(gated: Gated, tabs: Tabs) -> None:
    stays = tabs("coach_a")
    context = gated.context("coach_a")
    closing = [gated.open(context) for _ in range(3)]
    kernels = {tab.kernel for tab in closing}
    assert len(kernels) == 3
    assert kernels <= gated.kernel_processes()
    for tab in closing:
        tab.page.close(run_before_unload=False)
    took = gated.wait(lambda: not kernels & gated.kernel_processes())
    print(f"3 closed tabs: processes gone after {took:.1f} s (grace {GRACE:g} s)")  # noqa: T201 a figure of the run
    gated.wait(lambda: not kernels & set(gated.identity.running_kernels()))
    stays.ticks()
    context.close()


def test_a_reload_gets_a_new_kernel_and_the_old_one_goes(gated: Gated, tabs: Tabs) -> None:
    tab = tabs("coach_a")
    old = tab.kernel
    tab.page.reload()
    tab.page.wait_for_selector("#live")
    assert tab.kernel != old
    gated.wait(lambda: old not in gated.kernel_processes())
    tab.ticks()


def test_signing_out_ends_the_open_pages(gated: Gated) -> None:
    context = gated.context("coach_b", gated.sign_in("coach_b"))
    tab = gated.open(context)
    kernel = tab.kernel
    status = tab.page.evaluate("fetch('/logout', {method: 'POST'}).then(answer => answer.status)")
    assert status == 200  # after the redirect: the sign-in page
    gated.wait(lambda: kernel not in gated.kernel_processes())
    tab.stands_still()
    context.close()


def test_disabling_a_user_ends_the_open_pages(gated: Gated) -> None:
    email = f"{ids.new_id()}@example.org"
    gated.identity.add_user(SYSTEM, email, "Leaving Admin", "admin", password=PASSWORD)
    session_id = gated.identity.sign_in(email, PASSWORD)
    context = gated.context("admin", gated.identity.cookie_for(session_id))
    tab = gated.open(context, "admin")
    kernel = tab.kernel
    gated.identity.disable(SYSTEM, email)
    gated.wait(lambda: kernel not in gated.kernel_processes())
    assert tab.page.reload().url.endswith("/login?next=/app/admin")  # type: ignore[union-attr]
    context.close()


def test_one_sign_in_has_a_limit_of_open_pages_and_is_told_so(
    gated: Gated, new_session: str
) -> None:
    session_id = gated.identity.session_from_cookie(new_session)
    assert session_id is not None
    held = [_hold(gated.identity, session_id) for _ in range(LIMIT)]
    status, headers, text = gated.ask(
        "/app/dash", cookie=new_session, headers={"Accept": "text/html"}
    )
    assert (status, headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "COACH-IDN-007" in text
    assert "Close a tab" in text
    gated.identity.kernel_ended(held[0])
    assert gated.ask("/app/dash", cookie=new_session)[0] == 200
    for kernel in held:
        gated.identity.kernel_ended(kernel)


@pytest.fixture
def new_session(gated: Gated) -> str:
    return gated.sign_in("coach_b")


def _hold(identity: Identity, session_id: object) -> str:
    kernel = str(ids.new_id())
    ticket = identity.issue_ticket(session_id, "dash", LIMIT)  # type: ignore[arg-type]
    identity.claim_kernel(ticket, kernel)
    return kernel


@pytest.mark.long
def test_pages_live_through_a_restart_of_the_gate(gated: Gated, tabs: Tabs) -> None:
    tab = tabs("coach_a")
    kernel = tab.kernel
    orphan = _hold(gated.identity, gated.identity.session_from_cookie(gated.cookie("coach_a")))
    gated.child("api").kill()
    gated.wait(lambda: "again in" in gated.suite.log())
    gated.wait(lambda: orphan not in gated.identity.running_kernels())
    tab.page.wait_for_function(
        "old => document.querySelector('#live').innerText !== old", arg=tab.live
    )
    assert tab.kernel == kernel
    assert kernel in gated.identity.running_kernels()
    gated.wait(lambda: gated.ask("/readyz")[0] == 200)


@pytest.mark.long
def test_while_voila_starts_a_page_says_so_and_reloads_itself(gated: Gated, tabs: Tabs) -> None:
    tab = tabs("coach_a")
    kernel = tab.kernel
    cookie, as_page = gated.cookie("coach_a"), {"Accept": "text/html"}
    gated.child("voila").kill()
    while (answer := gated.ask("/app/dash", cookie=cookie, headers=as_page))[0] == 200:
        gated.child("voila").kill()  # it was back before we asked
    status, headers, text = answer
    assert (status, headers["retry-after"]) == (503, "3")
    assert '<meta http-equiv="refresh" content="3">' in text
    assert "Traceback" not in text
    tab.page.goto(f"{gated.suite.url}/app/dash")
    tab.page.wait_for_selector("#live")  # by itself, once Voila is back
    assert tab.kernel != kernel
    gated.wait(lambda: kernel not in gated.identity.running_kernels())
