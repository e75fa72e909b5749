"""`coachops user` and `coachops token`, as an operator's scripts call them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coachops.cli.main import app
from coachops.cli.serve import FIRST_ADMIN, _prepare
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import Client, Coach
from coachops.identity import Identity

Run = Callable[..., Any]
PASSWORD = "four words make one"


@pytest.fixture
def users(sqlite_database: Database) -> Identity:
    return Identity(sqlite_database, b"unused", 12)


@pytest.fixture
def run(home: Path, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; its JSON document, or its text with `text=True`; raises what it raised."""
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("COACHOPS_PUBLIC_URL", "https://coaching.example.org")

    def call(*arguments: str, text: bool = False) -> Any:
        done = CliRunner().invoke(app, [*arguments, *([] if text else ["--json"])])
        if isinstance(done.exception, CoachError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout if text else json.loads(done.stdout)

    return call


def test_an_invited_admin_comes_in_by_the_printed_link(run: Run, users: Identity) -> None:
    done = run("user", "add", "--email", "Ada@example.org", "--role", "admin", "--name", "Ada")
    assert (done["user"]["email"], done["user"]["status"]) == ("ada@example.org", "invited")
    origin, _, token = done["link"].rpartition("/link/")
    assert origin == "https://coaching.example.org"
    assert users.actor_of(users.redeem_link(token, PASSWORD)).name == "Ada"
    printed = run("user", "add", "--email", "b@example.org", "--role", "analyst", text=True)
    assert "https://coaching.example.org/link/" in printed


def test_a_coach_user_takes_name_and_record_of_the_coach(
    run: Run, sqlite_database: Database
) -> None:
    with sqlite_database.write() as session:
        coach = Coach(external_id="c7", name="Anna Alder", email="anna@example.org")
        session.add(coach)
    done = run("user", "add", "--email", "private@example.org", "--role", "coach", "--coach", "c7")
    assert done["user"]["name"] == "Anna Alder"
    assert done["user"]["coach_id"] == str(coach.id)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        run("user", "add", "--email", "nobody@example.org", "--role", "coach")


def test_users_are_listed_disabled_enabled_and_reset(run: Run, users: Identity) -> None:
    users.add_user(SYSTEM, "ben@example.org", "Ben", "analyst", password=PASSWORD)
    assert [each["status"] for each in run("user", "list")["users"]] == ["active"]
    assert "ben@example.org" in run("user", "list", text=True)
    assert run("user", "disable", "ben@example.org")["user"]["status"] == "disabled"
    assert run("user", "enable", "ben@example.org")["user"]["status"] == "active"
    assert run("user", "grant", "ben@example.org", "rollout")["user"]["permissions"] == ["rollout"]
    assert run("user", "revoke", "ben@example.org", "rollout")["user"]["permissions"] == []
    for option, purpose in ((), "reset"), (("--sign-in",), "sign_in"):
        link = run("user", "reset", "ben@example.org", *option)["link"]
        assert users.look_at_link(link.rpartition("/")[2]).purpose == purpose
    with pytest.raises(CoachError, match="COACH-IDN-008"):
        run("user", "reset", "nobody@example.org")


def test_tokens_are_made_listed_and_revoked(run: Run, users: Identity) -> None:
    run("user", "add", "--email", "robot@example.org", "--role", "service")
    arguments = ("--user", "robot@example.org", "--name", "feed", "--scope", "transcripts:read")
    done = run("token", "create", *arguments, "--days", "0")
    assert users.actor_of_token(done["token"]).scopes == {"transcripts:read"}
    assert done["details"]["expires_at"] is None
    secret = run("token", "create", *arguments, text=True).strip()
    assert users.actor_of_token(secret)
    listed = run("token", "list")["tokens"]
    assert len(listed) == 2
    assert secret not in json.dumps(listed)
    run("token", "revoke", done["details"]["id"])
    with pytest.raises(CoachError):
        users.actor_of_token(done["token"])
    with pytest.raises(CoachError, match="COACH-IDN-011"):
        run("token", "revoke", "not-an-id")
    assert "transcripts:read" in run("token", "scopes")["scopes"]


def test_serve_offers_a_first_link_until_an_admin_has_a_password(
    tmp_path: Path, users: Identity
) -> None:
    settings = load_settings(home=tmp_path / "new")
    first = _prepare(settings)
    again = _prepare(settings)  # the first one was lost: a new one replaces it
    assert first is not None
    assert again is not None
    database = Database(settings.database_url)
    identity = Identity(database, b"unused", 12)
    with pytest.raises(CoachError):
        identity.look_at_link(first.rpartition("/")[2])
    assert identity.look_at_link(again.rpartition("/")[2]).email == FIRST_ADMIN
    identity.redeem_link(again.rpartition("/")[2], PASSWORD)
    assert _prepare(settings) is None
    database.close()


def test_serve_leaves_an_invitation_made_by_hand_alone(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "new")
    _prepare(settings)
    database = Database(settings.database_url)
    identity = Identity(database, b"unused", 12)
    ada = identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin")
    token = identity.invite_link(SYSTEM, ada.id)
    assert _prepare(settings) is None
    assert identity.look_at_link(token)
    database.close()


def test_the_tokens_of_the_guides_can_be_made(run: Run, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for ref in ("AC-101", "coach-0001"):
            session.add(Coach(external_id=ref, name=ref, email=f"{ref.lower()}@example.org"))
    site = Path(__file__).parents[2] / "site"
    shown = [
        shlex.split(line.strip().removeprefix("$ coachops "))
        for page in sorted(site.rglob("*.md"))
        for line in page.read_text("utf-8").splitlines()
        if line.strip().startswith("$ coachops token create ")
    ]
    for email in {line[line.index("--user") + 1] for line in shown}:
        run("user", "add", "--email", email, "--role", "service")
    assert len(shown) >= 7
    for line in shown:
        assert run(*line)["token"].startswith("coa_"), line


def test_limits_of_a_token_are_named_by_any_reference(
    run: Run, users: Identity, sqlite_database: Database
) -> None:
    with sqlite_database.write() as session:
        coach = Coach(external_id="c7", name="Anna Alder", email="anna@example.org")
        client = Client(external_id="k1", name="Kim Kaya", email="kim@example.org")
        session.add_all([coach, client])
    run("user", "add", "--email", "robot@example.org", "--role", "service")
    arguments = ("token", "create", "--user", "robot@example.org", "--name", "feed", "--scope",
                 "changes:read")  # fmt: skip
    done = run(
        *arguments, "--scope", "exports:run", "--dataset", "sessions", "--dataset", "clients", "--coach", "anna@example.org",
        "--client", "k1", "--privacy", "pseudonymous",
    )  # fmt: skip
    assert users.actor_of_token(done["token"]).grant == Grant(
        frozenset({"sessions", "clients"}), frozenset({coach.id}), frozenset({client.id}),
        "pseudonymous",
    )  # fmt: skip
    assert run("token", "list")["tokens"][0]["coaches"] == ["c7"]
    with sqlite_database.write() as session:
        session.get_one(Coach, coach.id).left_on = sqlite_database.today()
    listed = run("token", "list", text=True)
    assert "coaches: c7" in listed
    assert "all left" in listed
    for options, code in (
        (("--dataset", "nothing"), "COACH-EXP-001"),
        (("--coach", "nobody"), "COACH-CCH-001"),
        (("--client", "nobody"), "COACH-CCH-001"),
        (("--privacy", "none"), "COACH-SYS-002"),
    ):
        with pytest.raises(CoachError, match=code):
            run(*arguments, *options)
    assert len(run("token", "list")["tokens"]) == 1
