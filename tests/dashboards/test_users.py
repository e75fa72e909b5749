"""The page for users, clicked on a real database with the real `Identity`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.dashboards import components, users
from coachops.dashboards.components import Button, Element, Field
from coachops.dashboards.users import UsersPage
from coachops.dashboards.users_link import LinkField
from coachops.db import Database
from coachops.db.models import AuditEvent, Coach
from coachops.identity import UserRow
from tests.support.smtp import SmtpTestServer

PASSWORD = "a long and quiet sentence"
ADMIN_MAIL = "ada@example.org"


@pytest.fixture(autouse=True)
def _no_banner() -> Iterator[None]:
    yield
    components.report_to(None)


@pytest.fixture
def services(home: Path, sqlite_database: Database) -> Services:
    home.mkdir()
    with sqlite_database.write() as session:
        session.add(Coach(external_id="AC-1", name="Anna Alder", email="anna@example.org"))
        session.add(Coach(external_id="AC-2", name="Ben Birch", email="ben@example.org"))
    settings = load_settings(home=home, database_url=sqlite_database.url)
    return Services(settings, sqlite_database)


@pytest.fixture
def admin(services: Services) -> Actor:
    from coachops.core.actor import SYSTEM

    row = services.identity.add_user(SYSTEM, ADMIN_MAIL, "Ada Admin", "admin", password=PASSWORD)
    return Actor(row.id, "admin", row.name)


@pytest.fixture
def shown(admin: Actor, services: Services) -> UsersPage:
    return UsersPage(admin, services)


def press(part: Element, label: str) -> None:
    found = [b for b in part.find(Button) if b.label == label]
    assert len(found) == 1, [b.label for b in part.find(Button)]
    found[0].click()


def field(part: Element, label: str) -> Field:
    return next(f for f in part.find(Field) if f.label == label)


def invite(shown: UsersPage, email: str, name: str, role: int, coach: int = 0) -> None:
    side = shown._side
    field(side, "E-mail").type_in(email)
    field(side, "Name").type_in(name)
    field(side, "Role").type_in(role)
    if role == 0:
        field(side, "Which coach is it?").type_in(coach)
    press(side, "Invite")


def link_shown(shown: UsersPage) -> str:
    """The token of the link on the page."""
    (made,) = shown._side.find(LinkField)
    prefix = f"{shown.services.settings.public_url}/link/"
    assert made.value.startswith(prefix)
    return made.value.removeprefix(prefix)


def manage(shown: UsersPage, email: str) -> UserRow:
    user = next(u for u in shown.users if u.email == email)
    shown.table.receive({"event": "action", "name": "open", "value": str(user.id)})
    return user


def audited(services: Services) -> list[str]:
    with services.database.read() as session:
        return list(session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.at)))


# -- inviting -------------------------------------------------------------------------------------


def test_an_invited_coach_comes_in_by_the_link_that_is_shown_once(
    shown: UsersPage, services: Services
) -> None:
    invite(shown, "Anna@Example.org", "Anna Alder", 0)
    token = link_shown(shown)
    assert services.identity.look_at_link(token).email == "anna@example.org"
    session_id = services.identity.redeem_link(token, PASSWORD)
    actor = services.identity.actor_of(session_id)
    assert (actor.role, actor.name) == ("coach", "Anna Alder")
    assert actor.coach_id is not None
    assert services.identity.sign_in("anna@example.org", PASSWORD)
    with pytest.raises(CoachError, match="COACH-IDN-004"):
        services.identity.redeem_link(token, PASSWORD)
    press(shown._side, "I have it, hide the link")
    assert shown._side.find(LinkField) == []
    assert token not in shown.page.text()
    assert "Anna Alder" in shown.table.text()
    assert {"user.added", "link.made"} <= set(audited(services))
    assert not services.settings.outbox.exists()  # a link is never written down


def test_a_coach_with_another_address_is_chosen_from_the_roster(
    shown: UsersPage, services: Services
) -> None:
    choices = field(shown._side, "Which coach is it?").options
    assert choices == [
        "By e-mail, out of the roster",
        "Anna Alder (anna@example.org)",
        "Ben Birch (ben@example.org)",
    ]
    invite(shown, "benjamin@example.org", "Ben Birch", 0, coach=2)
    user = next(u for u in shown.users if u.email == "benjamin@example.org")
    with services.database.read() as session:
        assert session.get_one(Coach, user.coach_id).external_id == "AC-2"
    assert len(field(shown._side, "Which coach is it?").options) == 2


def test_what_is_missing_or_wrong_is_said_and_nobody_is_added(shown: UsersPage) -> None:
    side = shown._side
    press(side, "Invite")
    assert field(side, "E-mail").error
    assert field(side, "Name").error
    for email, name, role, code in (
        ("nobody@example.org", "Nobody Here", 0, "COACH-IDN-009"),
        ("no address", "Nora New", 1, "COACH-IDN-009"),
        (ADMIN_MAIL, "Nora New", 1, "COACH-IDN-005"),
    ):
        invite(shown, email, name, role)
        assert code in side.text()
        assert side.find(LinkField) == []
    assert [user.email for user in shown.users] == [ADMIN_MAIL]


def test_the_question_for_the_coach_is_asked_for_coaches_only(shown: UsersPage) -> None:
    side = shown._side
    field(side, "Role").type_in(1)
    assert "Which coach is it?" not in [f.label for f in side.find(Field)]
    field(side, "Role").type_in(0)
    assert "Which coach is it?" in [f.label for f in side.find(Field)]


def test_a_service_gets_a_token_and_no_link(shown: UsersPage) -> None:
    invite(shown, "hr@example.org", "HR system", 3)
    assert shown._side.find(LinkField) == []
    assert "coachops token create --user hr@example.org" in shown._side.text()


def test_with_a_mail_server_the_link_is_mailed_and_shown(admin: Actor, services: Services) -> None:
    with SmtpTestServer() as server:
        settings = load_settings(
            home=services.settings.home,
            database_url=services.settings.database_url,
            smtp_url=f"smtp://127.0.0.1:{server.port}",
            mail_from="coaching@example.org",
            organisation="Alder & Birch",
        )
        shown = UsersPage(admin, Services(settings, services.database))
        invite(shown, "ines@example.org", "Ines Ivy", 1)
    token = link_shown(shown)
    (letter,) = server.taken
    assert letter["To"] == "Ines Ivy <ines@example.org>"
    assert letter["Subject"] == "Your invitation to Alder & Birch"
    assert f"/link/{token}" in letter.get_content().replace("=\n", "")
    assert "It was mailed to ines@example.org" in shown._side.text()


def test_a_mail_that_is_refused_leaves_the_link_on_the_page(
    admin: Actor, services: Services
) -> None:
    with SmtpTestServer("refuse_rcpt") as server:
        settings = load_settings(
            home=services.settings.home,
            database_url=services.settings.database_url,
            smtp_url=f"smtp://127.0.0.1:{server.port}",
        )
        shown = UsersPage(admin, Services(settings, services.database))
        invite(shown, "ines@example.org", "Ines Ivy", 1)
    assert "COACH-MSG-" in shown._side.text()
    assert "hand the link over yourself" in shown._side.text()
    assert services.identity.look_at_link(link_shown(shown)).email == "ines@example.org"


# -- looking after users --------------------------------------------------------------------------


def test_a_password_is_reset_by_a_link(shown: UsersPage, services: Services) -> None:
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    services.identity.redeem_link(link_shown(shown), PASSWORD)
    shown.refresh()
    manage(shown, "ines@example.org")
    press(shown._side, "Reset password")
    token = link_shown(shown)
    assert services.identity.look_at_link(token).purpose == "reset"
    services.identity.redeem_link(token, "another long and quiet sentence")
    assert services.identity.sign_in("ines@example.org", "another long and quiet sentence")


def test_a_disabled_user_is_out_at_once_and_can_be_let_in_again(
    shown: UsersPage, services: Services
) -> None:
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    session_id = services.identity.redeem_link(link_shown(shown), PASSWORD)
    shown.refresh()
    manage(shown, "ines@example.org")
    (disable,) = [b for b in shown._side.find(Button) if b.label == "Disable"]
    assert disable.question["title"] == "Disable Ines Ivy?"
    disable.click()
    assert "Ines Ivy was disabled." in shown._side.text()
    assert "Disabled" in shown.table.text()
    with pytest.raises(CoachError, match="COACH-IDN-002"):
        services.identity.actor_of(session_id)
    press(shown._side, "Enable")
    assert services.identity.sign_in("ines@example.org", PASSWORD)
    assert {"user.disabled", "user.enabled"} <= set(audited(services))


def test_admins_cannot_disable_themselves(shown: UsersPage, services: Services) -> None:
    user = manage(shown, ADMIN_MAIL)
    (disable,) = [b for b in shown._side.find(Button) if b.label == "Disable"]
    assert disable.disabled
    disable.receive({"event": "click", "count": 0})  # forged
    disable.disabled = False
    disable.click()
    assert "COACH-IDN-010" in shown._side.text()
    assert services.identity.get_user(shown.actor, user.id).status == "active"


def test_permissions_are_granted_and_taken_back_by_name(
    shown: UsersPage, services: Services
) -> None:
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    user = manage(shown, "ines@example.org")
    field(shown._side, "Permission").type_in("Not A Name")
    press(shown._side, "Grant")
    assert "COACH-IDN-009" in shown._side.text()
    field(shown._side, "Permission").type_in("rollout")
    press(shown._side, "Grant")
    assert services.identity.get_user(shown.actor, user.id).permissions == ("rollout",)
    assert "Ines Ivy now has 'rollout'." in shown._side.text()
    press(shown._side, "Take back")
    assert services.identity.get_user(shown.actor, user.id).permissions == ()
    assert {"permission.granted", "permission.revoked"} <= set(audited(services))


def test_the_list_is_searched_by_all_words(shown: UsersPage) -> None:
    invite(shown, "anna@example.org", "Anna Alder", 0)
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    for words, found in (
        ("", 3), ("INES", 1), ("example.org coach", 1), ("invited", 2), ("nobody", 0),
    ):  # fmt: skip
        shown.search.type_in(words)
        assert len(shown.table.rows) == found, words
    assert "Nobody matches." in shown.table.text()


def test_a_long_list_is_shown_in_parts(
    shown: UsersPage, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "SHOWN", 2)
    for number in range(3):
        services.identity.add_user(
            shown.actor, f"a{number}@example.org", f"Analyst {number}", "analyst"
        )
    page = UsersPage(shown.actor, services)
    assert len(page.table.rows) == 2
    press(page.page, "Show all 4")
    assert len(page.table.rows) == 4


def test_a_new_installation_says_whom_to_invite(shown: UsersPage) -> None:
    assert "Nobody but you yet" in shown.page.text()
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    assert "Nobody but you yet" not in shown.page.text()


# -- who may use it -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["coach", "analyst", "service"])
def test_others_get_an_error_card_even_if_the_gate_let_them_in(
    services: Services, role: str
) -> None:
    page = users.page(Actor(ids.new_id(), role, "Anna Alder", coach_id=ids.new_id()), services)
    assert "COACH-IDN-003" in page.text()
    assert page.find(Button) == []
    assert ADMIN_MAIL not in page.text()


def test_every_act_is_refused_for_a_coach_who_got_hold_of_the_page(
    shown: UsersPage, services: Services
) -> None:
    invite(shown, "ines@example.org", "Ines Ivy", 1)
    press(shown._side, "I have it, hide the link")
    user = manage(shown, "ines@example.org")
    acts = {b.label: b for b in shown._side.find(Button)}
    grant = field(shown._side, "Permission")
    grant.type_in("rollout")
    before = audited(services)
    shown.actor = Actor(ids.new_id(), "coach", "Anna Alder", coach_id=ids.new_id())
    for label in ("New invitation", "Disable", "Grant"):
        acts[label].click()
        assert "COACH-IDN-003" in shown.page.text(), label
    assert shown._side.find(LinkField) == []
    shown.page.banner.clear()
    for call in (shown.refresh, lambda: shown.open(user.id)):
        with pytest.raises(CoachError, match="COACH-IDN-003"):
            call()
    assert audited(services) == before


def test_forged_clicks_on_users_that_are_not_listed_are_dropped(shown: UsersPage) -> None:
    before = shown._side.children
    for value in (str(ids.new_id()), "", "'; drop table users", None, 7):
        shown.table.receive({"event": "action", "name": "open", "value": value})
    assert shown._side.children == before


def test_the_browser_cannot_change_the_link_and_its_text_stays_out_of_logs() -> None:
    made = LinkField("Link for Ines Ivy", "http://localhost:8000/link/secret")
    made.set_state({"value": "http://evil.example"})
    assert made.value == "http://localhost:8000/link/secret"
    assert made.text() == "Link for Ines Ivy"
