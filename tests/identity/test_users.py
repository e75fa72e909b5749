"""Users: who may administer them, what is refused, and that disabling ends everything at once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent, Coach
from coachops.identity import Identity

PASSWORD = "four words make one"


def _code(caught: pytest.ExceptionInfo[CoachError]) -> str:
    return caught.value.code


def test_a_coach_user_becomes_the_coach_of_that_e_mail(identity: Identity, coach: Coach) -> None:
    row = identity.add_user(SYSTEM, " Anna@Example.org ", "Anna  Alder", "coach")
    assert (row.email, row.name, row.coach_id, row.status) == (
        "anna@example.org", "Anna Alder", coach.id, "invited",
    )  # fmt: skip
    with pytest.raises(CoachError) as caught:
        identity.add_user(SYSTEM, "other@example.org", "Other", "coach", coach_id=coach.id)
    assert _code(caught) == "COACH-IDN-009"


@pytest.mark.parametrize(
    ("email", "name", "role", "code"),
    [
        ("ada@example.org", "Ada", "admin", "COACH-IDN-005"),
        ("ADA@example.org", "Ada", "admin", "COACH-IDN-005"),
        ("no address", "Ada", "admin", "COACH-IDN-009"),
        ("a@b@c", "Ada", "admin", "COACH-IDN-009"),
        ("x@example.org", "  ", "admin", "COACH-IDN-009"),
        ("x@example.org", "x" * 201, "admin", "COACH-IDN-009"),
        ("x@example.org", "Ada", "owner", "COACH-IDN-009"),
        ("x@example.org", "Ada", "coach", "COACH-IDN-009"),
    ],
)
def test_bad_users_are_refused(
    identity: Identity, email: str, name: str, role: str, code: str
) -> None:
    identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin")
    with pytest.raises(CoachError) as caught:
        identity.add_user(SYSTEM, email, name, role)
    assert _code(caught) == code
    assert len(identity.list_users(SYSTEM)) == 1


@pytest.mark.parametrize("role", ["coach", "analyst", "service"])
def test_only_admins_administer(identity: Identity, role: str) -> None:
    ada = identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin")
    actor = Actor(None, role, "Somebody")
    for call in (
        lambda: identity.list_users(actor),
        lambda: identity.get_user(actor, ada.id),
        lambda: identity.add_user(actor, "x@example.org", "X", "admin"),
        lambda: identity.disable(actor, ada.id),
        lambda: identity.enable(actor, ada.id),
        lambda: identity.grant(actor, ada.id, "rollout"),
        lambda: identity.revoke(actor, ada.id, "rollout"),
        lambda: identity.invite_link(actor, ada.id),
        lambda: identity.reset_link(actor, ada.id),
        lambda: identity.sign_in_link(actor, ada.id),
        lambda: identity.create_token(actor, ada.id, "t", ["transcripts:read"]),
        lambda: identity.list_tokens(actor),
        lambda: identity.revoke_token(actor, ada.id),
    ):
        with pytest.raises(CoachError) as caught:
            call()
        assert _code(caught) == "COACH-IDN-003"


def test_disabling_ends_sign_ins_links_and_tokens_in_one_step(identity: Identity) -> None:
    ada = identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin", password=PASSWORD)
    ben = identity.add_user(SYSTEM, "ben@example.org", "Ben", "analyst", password=PASSWORD)
    session_id = identity.sign_in("ben@example.org", PASSWORD)
    link = identity.reset_link(SYSTEM, ben.id)
    secret, _ = identity.create_token(SYSTEM, ben.id, "feed", ["transcripts:read"])
    ticket = identity.issue_ticket(session_id, "overview", 5)
    actor = Actor(ada.id, "admin", "Ada")

    assert identity.disable(actor, "ben@example.org").status == "disabled"

    kernel = "00000000-0000-7000-8000-000000000001"
    for call, code in (
        (lambda: identity.actor_of(session_id), "COACH-IDN-002"),
        (lambda: identity.redeem_link(link, PASSWORD), "COACH-IDN-004"),
        (lambda: identity.actor_of_token(secret), "COACH-IDN-012"),
        (lambda: identity.sign_in("ben@example.org", PASSWORD), "COACH-IDN-001"),
        (lambda: identity.claim_kernel(ticket, kernel), "COACH-IDN-013"),
        (lambda: identity.issue_ticket(session_id, "overview", 5), "COACH-IDN-002"),
        (lambda: identity.invite_link(SYSTEM, ben.id), "COACH-IDN-010"),
    ):
        with pytest.raises(CoachError) as caught:
            call()
        assert _code(caught) == code
    assert identity.enable(actor, ben.id).status == "active"
    assert identity.sign_in("ben@example.org", PASSWORD)
    with pytest.raises(CoachError):
        identity.actor_of(session_id)


def test_nobody_shuts_out_themselves_or_the_last_admin(identity: Identity) -> None:
    ada = identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin")
    ben = identity.add_user(SYSTEM, "ben@example.org", "Ben", "admin")
    with pytest.raises(CoachError) as caught:
        identity.disable(Actor(ada.id, "admin", "Ada"), ada.id)
    assert _code(caught) == "COACH-IDN-010"
    identity.disable(Actor(ada.id, "admin", "Ada"), ben.id)
    with pytest.raises(CoachError) as caught:
        identity.disable(SYSTEM, ada.id)
    assert _code(caught) == "COACH-IDN-010"


def test_a_permission_is_held_until_it_is_taken_back_which_ends_open_pages(
    identity: Identity,
) -> None:
    ben = identity.add_user(SYSTEM, "ben@example.org", "Ben", "analyst", password=PASSWORD)
    session_id = identity.sign_in("ben@example.org", PASSWORD)
    identity.grant(SYSTEM, ben.id, "rollout")
    identity.grant(SYSTEM, ben.id, "rollout")
    assert identity.actor_of(session_id).permissions == {"rollout"}
    assert identity.get_user(SYSTEM, ben.id).permissions == ("rollout",)
    identity.revoke(SYSTEM, ben.id, "rollout")
    with pytest.raises(CoachError):
        identity.actor_of(session_id)
    assert not identity.actor_of(identity.sign_in("ben@example.org", PASSWORD)).permissions
    with pytest.raises(CoachError) as caught:
        identity.grant(SYSTEM, ben.id, "Not A Name")
    assert _code(caught) == "COACH-IDN-009"


def test_each_act_is_audited_without_addresses_or_secrets(
    identity: Identity, database: Database
) -> None:
    ben = identity.add_user(SYSTEM, "ben@example.org", "Ben", "admin", password=PASSWORD)
    identity.sign_out(identity.sign_in("ben@example.org", PASSWORD))
    link = identity.sign_in_link(SYSTEM, ben.id)
    identity.redeem_link(link)
    with pytest.raises(CoachError):
        identity.sign_in("nobody@example.org", PASSWORD)
    secret, token = identity.create_token(SYSTEM, ben.id, "feed", ["transcripts:read"])
    identity.revoke_token(SYSTEM, token.id)
    with database.read() as session:
        events = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
        actions = [event.action for event in events]
        everything = " ".join(f"{event.subject_id} {event.details}" for event in events)
    assert actions == [
        "user.added", "user.signed_in", "user.signed_out", "link.made", "link.used",
        "sign_in.failed", "token.created", "token.revoked",
    ]  # fmt: skip
    for hidden in ("example.org", PASSWORD, link, secret):
        assert hidden not in everything
