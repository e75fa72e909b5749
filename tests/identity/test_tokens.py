"""API tokens: scopes, an end, taking them back; the secret is shown once and kept as a hash."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import ApiToken
from coachops.identity import Identity


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
    actor, scopes = identity.actor_of_token(secret)
    assert (actor.name, actor.role) == ("Robot", "service")
    assert scopes == {"transcripts:read", "transcripts:write"}
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
