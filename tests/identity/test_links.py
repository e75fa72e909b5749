"""One-time links: they work once, for a time, and looking at them costs nothing."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
import sqlalchemy as sa

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import SignInLink
from coachops.identity import Identity
from coachops.identity.links import LIVES

PASSWORD = "four words make one"


@pytest.fixture
def ben(identity: Identity) -> uuid.UUID:
    return identity.add_user(SYSTEM, "ben@example.org", "Ben", "analyst").id


def _dead(identity: Identity, token: str) -> bool:
    with pytest.raises(CoachError) as looked:
        identity.look_at_link(token)
    with pytest.raises(CoachError) as used:
        identity.redeem_link(token, PASSWORD)
    return {looked.value.code, used.value.code} == {"COACH-IDN-004"}


def test_an_invitation_sets_the_password_and_signs_in_once(
    identity: Identity, ben: uuid.UUID
) -> None:
    token = identity.invite_link(SYSTEM, ben)
    for _ in range(3):
        view = identity.look_at_link(token)
    assert (view.purpose, view.email, view.needs_password) == ("invite", "ben@example.org", True)
    session_id = identity.redeem_link(token, PASSWORD)
    assert identity.actor_of(session_id).user_id == ben
    assert identity.sign_in("ben@example.org", PASSWORD)
    assert identity.get_user(SYSTEM, ben).status == "active"
    assert _dead(identity, token)


def test_a_weak_password_leaves_the_link_working(identity: Identity, ben: uuid.UUID) -> None:
    token = identity.invite_link(SYSTEM, ben)
    for weak in (None, "", "short"):
        with pytest.raises(CoachError) as caught:
            identity.redeem_link(token, weak)
        assert caught.value.code == "COACH-IDN-006"
    assert identity.redeem_link(token, PASSWORD)


def test_a_reset_ends_every_sign_in_and_link(identity: Identity, ben: uuid.UUID) -> None:
    before = identity.redeem_link(identity.invite_link(SYSTEM, ben), PASSWORD)
    other = identity.sign_in_link(SYSTEM, ben)
    identity.redeem_link(identity.reset_link(SYSTEM, ben), "another long sentence")
    with pytest.raises(CoachError):
        identity.actor_of(before)
    assert _dead(identity, other)


def test_a_new_link_replaces_the_older_of_its_kind(identity: Identity, ben: uuid.UUID) -> None:
    first = identity.invite_link(SYSTEM, ben)
    sign_in = identity.sign_in_link(SYSTEM, ben)
    second = identity.invite_link(SYSTEM, ben)
    assert _dead(identity, first)
    assert identity.look_at_link(sign_in)
    assert identity.look_at_link(second)


@pytest.mark.parametrize("purpose", list(LIVES))
def test_links_end_with_their_time(identity: Identity, ben: uuid.UUID, purpose: str) -> None:
    start = clock.now()
    with clock.frozen(start):
        token = getattr(identity, f"{purpose}_link")(SYSTEM, ben)
    with clock.frozen(start + LIVES[purpose] - dt.timedelta(seconds=1)):
        assert identity.look_at_link(token).purpose == purpose
    with clock.frozen(start + LIVES[purpose]):
        assert _dead(identity, token)


def test_of_many_clicks_at_once_one_wins(identity: Identity, ben: uuid.UUID) -> None:
    token = identity.sign_in_link(SYSTEM, ben)
    won, lost = [], []

    def click() -> None:
        try:
            won.append(identity.redeem_link(token))
        except CoachError as error:
            lost.append(error.code)

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert set(lost) == {"COACH-IDN-004"}


def test_only_hashes_of_256_bits_are_kept(
    identity: Identity, ben: uuid.UUID, database: Database
) -> None:
    token = identity.invite_link(SYSTEM, ben)
    assert len(token) >= 43  # 32 bytes in base64
    with database.read() as session:
        stored = session.scalars(sa.select(SignInLink.token_hash)).all()
    assert len(stored) == 1
    assert token not in stored[0]
    assert len(stored[0]) == 64


@pytest.mark.parametrize(
    "token", ["", "x", "a" * 43, "'; DROP TABLE users; --", "\ud800", "x" * 9999]
)
def test_tokens_that_never_were_are_dead(identity: Identity, token: str) -> None:
    assert _dead(identity, token)
