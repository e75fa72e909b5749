"""API tokens: scopes, an end, taking them back; the secret is shown once and kept as a hash."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.db import Database
from coachops.db.models import ApiToken, Client, Coach
from coachops.identity import Identity
from coachops.identity.tokens import NAMED, SCOPES


@pytest.fixture(autouse=True)
def _robot(identity: Identity) -> None:
    identity.add_user(SYSTEM, "robot@example.org", "Robot", "service")


def test_a_token_acts_for_its_user_within_its_scopes(
    identity: Identity, database: Database
) -> None:
    secret, row = identity.create_token(
        SYSTEM, "robot@example.org", " feed ", ["transcripts:write", "transcripts:read"]
    )
    assert secret.startswith("coa_")
    assert (row.name, row.scopes, row.status) == (
        "feed", ("transcripts:read", "transcripts:write"), "active",
    )  # fmt: skip
    bearer = identity.actor_of_token(secret)
    assert (bearer.actor.name, bearer.actor.role) == ("Robot", "service")
    assert bearer.scopes == {"transcripts:read", "transcripts:write"}
    assert (bearer.token_id, bearer.grant) == (row.id, EVERYTHING)
    assert identity.list_tokens(SYSTEM)[0].last_used_at is not None
    with database.read() as session:
        assert secret not in str(session.execute(sa.select(ApiToken.__table__)).all())


def test_tokens_end_with_their_days_and_when_taken_back(identity: Identity) -> None:
    start = clock.now()
    with clock.frozen(start):
        short, row = identity.create_token(
            SYSTEM, "robot@example.org", "a", ["transcripts:read"], 1
        )
        lasting, kept = identity.create_token(
            SYSTEM, "robot@example.org", "b", ["transcripts:read"], None
        )
    with clock.frozen(start + dt.timedelta(days=1)):
        with pytest.raises(CoachError) as caught:
            identity.actor_of_token(short)
        assert caught.value.code == "COACH-IDN-012"
        assert {each.name: each.status for each in identity.list_tokens(SYSTEM)} == {
            "a": "expired", "b": "active",
        }  # fmt: skip
        assert identity.actor_of_token(lasting)
        assert identity.revoke_token(SYSTEM, kept.id).status == "revoked"
        assert identity.revoke_token(SYSTEM, kept.id).status == "revoked"
        with pytest.raises(CoachError):
            identity.actor_of_token(lasting)
    with pytest.raises(CoachError) as caught:
        identity.revoke_token(SYSTEM, ids.new_id())
    assert caught.value.code == "COACH-IDN-011"
    assert row.expires_at == start + dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("user", "name", "scopes", "days", "code"),
    [
        ("nobody@example.org", "x", ["transcripts:read"], 1, "COACH-IDN-008"),
        ("robot@example.org", " ", ["transcripts:read"], 1, "COACH-IDN-009"),
        ("robot@example.org", "x", ["everything"], 1, "COACH-IDN-009"),
        ("robot@example.org", "x", [], 1, "COACH-IDN-009"),
        ("robot@example.org", "x", ["transcripts:read"], 0, "COACH-IDN-009"),
    ],
)
def test_bad_tokens_are_refused(
    identity: Identity, user: str, name: str, scopes: list[str], days: int, code: str
) -> None:
    with pytest.raises(CoachError) as caught:
        identity.create_token(SYSTEM, user, name, scopes, days)
    assert caught.value.code == code
    assert identity.list_tokens(SYSTEM) == []


@pytest.mark.parametrize("secret", ["", "coa_", "coa_" + "a" * 43, "\ud800", "x" * 10_000])
def test_secrets_that_never_were_are_refused(identity: Identity, secret: str) -> None:
    with pytest.raises(CoachError) as caught:
        identity.actor_of_token(secret)
    assert caught.value.code == "COACH-IDN-012"


def test_a_token_keeps_its_limits_and_the_list_names_them(
    identity: Identity, database: Database, coach: Coach
) -> None:
    with database.write() as session:
        session.add(client := Client(external_id="k1", name="Kim Kaya"))
    grant = Grant(
        frozenset({"sessions", "clients"}), frozenset({coach.id}), frozenset({client.id}),
        "pseudonymous",
    )  # fmt: skip
    secret, row = identity.create_token(
        SYSTEM, "robot@example.org", "feed", ["changes:read", "exports:run"], grant=grant
    )
    assert identity.actor_of_token(secret).grant == grant
    for shown in (row, identity.list_tokens(SYSTEM)[0]):
        assert (shown.datasets, shown.coaches, shown.clients, shown.privacy) == (
            ("clients", "sessions"), ("c1",), ("k1",), "pseudonymous",
        )  # fmt: skip


@pytest.mark.parametrize(
    "grant",
    [
        Grant(datasets=frozenset()),
        Grant(coaches=frozenset()),
        Grant(datasets=frozenset({"Sessions; DROP"})),
        Grant(coaches=frozenset({ids.new_id()})),
        Grant(clients=frozenset({ids.new_id()})),
        Grant(privacy="nothing"),  # type: ignore[arg-type]
    ],
)
def test_limits_that_name_nothing_or_nobody_make_no_token(identity: Identity, grant: Grant) -> None:
    with pytest.raises(CoachError, match="COACH-IDN-009"):
        identity.create_token(SYSTEM, "robot@example.org", "a", ["changes:read"], grant=grant)
    assert identity.list_tokens(SYSTEM) == []


def test_pseudonyms_and_scopes_that_show_names_only_make_no_token(identity: Identity) -> None:
    grant = Grant(privacy="pseudonymous")
    for scopes in (["changes:read"], ["roster:write", "sessions:write"], sorted(NAMED)):
        with pytest.raises(CoachError, match="COACH-IDN-009") as refused:
            identity.create_token(SYSTEM, "robot@example.org", "a", scopes, grant=grant)
        assert all(scope in str(refused.value) for scope in (*scopes, "exports:run"))
    assert identity.list_tokens(SYSTEM) == []
    for scope in SCOPES.keys() - NAMED:
        identity.create_token(
            SYSTEM, "robot@example.org", "a", [scope, "changes:read"], grant=grant
        )


def test_a_token_whose_coaches_all_left_is_told_apart(
    identity: Identity, database: Database, coach: Coach
) -> None:
    with database.write() as session:
        session.add(other := Coach(external_id="c2", name="Ben Birk", email="ben@example.org"))
    for name, coaches in (("one", {coach.id}), ("both", {coach.id, other.id})):
        identity.create_token(
            SYSTEM,
            "robot@example.org",
            name,
            ["changes:read"],
            grant=Grant(coaches=frozenset(coaches)),
        )
    today = database.today()
    with database.write() as session:
        session.get_one(Coach, coach.id).left_on = today + dt.timedelta(days=1)
    assert not any(row.all_left for row in identity.list_tokens(SYSTEM))
    with database.write() as session:
        session.get_one(Coach, coach.id).left_on = today
    assert {row.name: row.all_left for row in identity.list_tokens(SYSTEM)} == {
        "one": True, "both": False,
    }  # fmt: skip
