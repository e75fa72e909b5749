"""Signing in: the lock, equal answers, the cookie, and what a password must be."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import User
from coachops.identity import Identity, passwords
from coachops.identity.signing_in import LOCK, MAX_FAILURES

PASSWORD = "four words make one"
EMAIL = "ben@example.org"


@pytest.fixture
def ben(identity: Identity) -> uuid.UUID:
    return identity.add_user(SYSTEM, EMAIL, "Ben", "analyst", password=PASSWORD).id


def _fails(identity: Identity, email: str, password: str) -> None:
    with pytest.raises(CoachError) as caught:
        identity.sign_in(email, password)
    assert caught.value.code == "COACH-IDN-001"


def test_the_right_password_signs_in_and_the_cookie_leads_back(
    identity: Identity, ben: uuid.UUID
) -> None:
    session_id = identity.sign_in(" BEN@example.org ", PASSWORD)
    cookie = identity.cookie_for(session_id)
    assert identity.session_from_cookie(cookie) == session_id
    actor = identity.actor_of(session_id)
    assert (actor.user_id, actor.role, actor.name) == (ben, "analyst", "Ben")
    assert identity.signed_in_count() == 1
    identity.sign_out(session_id)
    identity.sign_out(session_id)
    with pytest.raises(CoachError) as caught:
        identity.actor_of(session_id)
    assert caught.value.code == "COACH-IDN-002"
    assert identity.signed_in_count() == 0


def test_wrong_unknown_and_passwordless_accounts_answer_alike(
    identity: Identity, ben: uuid.UUID
) -> None:
    identity.add_user(SYSTEM, "invited@example.org", "Invited", "analyst")
    identity.add_user(SYSTEM, "robot@example.org", "Robot", "service", password=PASSWORD)
    for email, password in [
        (EMAIL, "wrong"),
        (EMAIL, ""),
        (EMAIL, "x" * 100_000),
        ("nobody@example.org", PASSWORD),
        ("invited@example.org", ""),
        ("invited@example.org", "nobody has this password"),
        ("robot@example.org", PASSWORD),
        ("x" * 5000, PASSWORD),
    ]:
        _fails(identity, email, password)


def test_unknown_accounts_cost_a_hash_as_well(
    identity: Identity, ben: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts hash computations instead of seconds: those depend on the machine."""
    seen: list[str] = []
    real = passwords._HASHER

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            seen.append(stored)
            return real.verify(stored, password)

    passwords._nobody()
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    for email in (EMAIL, "nobody@example.org"):
        _fails(identity, email, "wrong password")
    assert len(seen) == 2


def test_after_five_failures_the_right_password_waits_too(
    identity: Identity, ben: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        for _ in range(MAX_FAILURES):
            _fails(identity, EMAIL, "wrong")
        _fails(identity, EMAIL, PASSWORD)
        assert identity.get_user(SYSTEM, ben).status == "locked"
    with clock.frozen(start + LOCK - dt.timedelta(seconds=1)):
        _fails(identity, EMAIL, PASSWORD)
    with clock.frozen(start + LOCK + dt.timedelta(seconds=1)):
        assert identity.sign_in(EMAIL, PASSWORD)
        assert identity.get_user(SYSTEM, ben).status == "active"


def test_a_success_forgets_earlier_failures(identity: Identity, ben: uuid.UUID) -> None:
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            _fails(identity, EMAIL, "wrong")
        assert identity.sign_in(EMAIL, PASSWORD)


def test_an_admin_and_a_link_both_lift_the_lock(identity: Identity, ben: uuid.UUID) -> None:
    for _ in range(MAX_FAILURES):
        _fails(identity, EMAIL, "wrong")
    identity.enable(SYSTEM, ben)
    assert identity.sign_in(EMAIL, PASSWORD)
    for _ in range(MAX_FAILURES):
        _fails(identity, EMAIL, "wrong")
    assert identity.redeem_link(identity.sign_in_link(SYSTEM, ben))
    assert identity.sign_in(EMAIL, PASSWORD)


def test_parallel_guesses_cannot_outrun_the_lock(
    identity: Identity, ben: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    real = passwords.verify

    def counting(stored: str | None, password: str) -> bool:
        if stored is not None:
            compared.append(password)
        return real(stored, password)

    monkeypatch.setattr(passwords, "verify", counting)
    threads = [
        threading.Thread(target=_fails, args=(identity, EMAIL, f"guess {n}")) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compared) == MAX_FAILURES


def test_a_session_ends_with_its_hours(identity: Identity, ben: uuid.UUID) -> None:
    start = clock.now()
    with clock.frozen(start):
        session_id = identity.sign_in(EMAIL, PASSWORD)
    with clock.frozen(start + dt.timedelta(hours=11, minutes=59)):
        assert identity.actor_of(session_id)
        assert identity.get_user(SYSTEM, ben).last_seen_at == clock.now()
    with clock.frozen(start + dt.timedelta(hours=12)), pytest.raises(CoachError):
        identity.actor_of(session_id)


def test_a_changed_password_ends_the_other_sign_ins(identity: Identity, ben: uuid.UUID) -> None:
    here, there = identity.sign_in(EMAIL, PASSWORD), identity.sign_in(EMAIL, PASSWORD)
    with pytest.raises(CoachError):
        identity.change_password(here, "wrong", "another long sentence")
    identity.change_password(here, PASSWORD, "another long sentence")
    assert identity.actor_of(here)
    with pytest.raises(CoachError):
        identity.actor_of(there)
    assert identity.sign_in(EMAIL, "another long sentence")
    _fails(identity, EMAIL, PASSWORD)


def test_guessing_from_inside_meets_the_same_lock(identity: Identity, ben: uuid.UUID) -> None:
    here = identity.sign_in(EMAIL, PASSWORD)
    new = "another long sentence"
    for _ in range(MAX_FAILURES):
        with pytest.raises(CoachError):
            identity.change_password(here, PASSWORD, "weak")  # typed right: counts as no guess
    for _ in range(MAX_FAILURES):
        with pytest.raises(CoachError):
            identity.change_password(here, "wrong", new)
    with pytest.raises(CoachError, match="wrong"):
        identity.change_password(here, PASSWORD, new)
    with clock.frozen(clock.now() + LOCK + dt.timedelta(seconds=1)):
        identity.change_password(here, PASSWORD, new)
        assert identity.sign_in(EMAIL, new)


def test_a_reset_between_stands_against_a_change_from_inside(
    identity: Identity, ben: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = identity.sign_in(EMAIL, PASSWORD)
    real = passwords.verify

    def reset_meanwhile(stored: str | None, password: str) -> bool:
        monkeypatch.setattr(passwords, "verify", real)
        identity.redeem_link(identity.reset_link(SYSTEM, ben), "what the owner chose")
        return real(stored, password)

    monkeypatch.setattr(passwords, "verify", reset_meanwhile)
    with pytest.raises(CoachError):
        identity.change_password(here, PASSWORD, "what an intruder chose")
    assert identity.sign_in(EMAIL, "what the owner chose")


def test_outdated_hashes_are_renewed_at_sign_in(
    identity: Identity, ben: uuid.UUID, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stronger = type(passwords._HASHER)(time_cost=2, memory_cost=16, parallelism=1)
    with database.read() as session:
        before = session.scalar(sa.select(User.password_hash))
    monkeypatch.setattr(passwords, "_HASHER", stronger)
    assert identity.sign_in(EMAIL, PASSWORD)
    with database.read() as session:
        after = session.scalar(sa.select(User.password_hash))
    assert before is not None
    assert after is not None
    assert passwords.is_outdated(before)
    assert not passwords.is_outdated(after)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short", "12 characters"),
        ("x" * 201, "200 characters"),
        ("Passwordpassword", "attacker"),
        ("aaaaaaaaaaaaaaaa", "attacker"),
        ("long.address@example.org", "e-mail"),
        ("LONG.ADDRESS@EXAMPLE.ORG", "e-mail"),
    ],
)
def test_weak_passwords_are_refused_with_the_rule(password: str, word: str) -> None:
    with pytest.raises(CoachError, match=word) as caught:
        passwords.check_policy(password, "long.address@example.org")
    assert caught.value.code == "COACH-IDN-006"


def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    stored = passwords.hash_password("caf\u00e9 und vier w\u00f6rter")
    assert passwords.verify(stored, "cafe\u0301 und vier wo\u0308rter")


def test_hashes_are_argon2id_of_the_standard_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    stored = passwords.hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not passwords.is_outdated(stored)


@given(st.text(max_size=120))
def test_a_cookie_that_we_did_not_sign_is_nobody(value: str) -> None:
    identity = Identity(Database("sqlite://"), b"a secret", 1)
    assert identity.session_from_cookie(value) is None


def test_a_changed_or_foreign_cookie_is_nobody() -> None:
    ours = Identity(Database("sqlite://"), b"a secret", 1)
    other = Identity(Database("sqlite://"), b"another", 1)
    session_id = uuid.UUID(int=5)
    cookie = ours.cookie_for(session_id)
    assert ours.session_from_cookie(cookie) == session_id
    assert other.session_from_cookie(cookie) is None
    for place in range(len(cookie)):
        changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        assert ours.session_from_cookie(changed) in {None, session_id}
    assert ours.session_from_cookie(session_id.hex) is None
    assert ours.session_from_cookie(None) is None
