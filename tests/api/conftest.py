"""The application in this process, on a database of each kind, with people and a queue that records."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from coachops.api import create_app
from coachops.bootstrap import Services
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.identity import passwords
from coachops.identity.runtime import Runtime
from tests.coaching.builders import Pair, make_pair

ORIGIN = "http://localhost:8000"
PASSWORD = "four words make one"


@dataclass
class Queue:
    """Takes work down; raises `error` when one is set."""

    taken: list[uuid.UUID] = field(default_factory=list)
    error: CoachError | None = None

    def enqueue_pipeline(self, transcript_id: uuid.UUID) -> object:
        if self.error is not None:
            raise self.error
        self.taken.append(transcript_id)
        return None


@dataclass
class Site:
    """The application and what stands behind it."""

    client: TestClient
    services: Services
    queue: Queue

    def post(self, path: str, **kwargs: object) -> object:
        """A form sent from a page of the site."""
        return self.client.post(path, headers={"Origin": ORIGIN}, **kwargs)  # type: ignore[arg-type]

    def add(self, email: str, role: str, coach_id: uuid.UUID | None = None) -> uuid.UUID:
        user = self.services.identity.add_user(
            SYSTEM, email, email.partition("@")[0].title(), role, coach_id, PASSWORD
        )
        return user.id

    def email_of(self, pair: Pair) -> str:
        """The e-mail of a pair's coach, who has a password afterwards."""
        identity = self.services.identity
        assert pair.actor.user_id is not None
        identity.redeem_link(identity.reset_link(SYSTEM, pair.actor.user_id), PASSWORD)
        return identity.get_user(SYSTEM, pair.actor.user_id).email

    def sign_in(self, email: str) -> None:
        """The browser is signed in afterwards."""
        response = self.client.post(
            "/login", data={"email": email, "password": PASSWORD}, headers={"Origin": ORIGIN}
        )
        assert response.status_code == 303, response.text

    def token(self, email: str, *scopes: str, grant: Grant = EVERYTHING) -> dict[str, str]:
        """The header of a program that acts for a user, within limits."""
        secret, _ = self.services.identity.create_token(SYSTEM, email, "test", scopes, grant=grant)
        return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    passwords._nobody.cache_clear()


@pytest.fixture
def make_site(home: Path, sqlite_database: Database) -> Iterator[Callable[..., Site]]:
    """Builds a site: `make_site(public_url="https://…")`."""
    clients = []

    def make(public_url: str = ORIGIN, database: Database | None = None) -> Site:
        chosen = database or sqlite_database
        settings = load_settings(home=home, database_url=chosen.url, public_url=public_url)
        services = Services(settings, chosen)
        runtime = Runtime(
            Path("/tmp") / f"coachops-{uuid.uuid4().hex[:8]}",  # noqa: S108, TID251 a short path
            1, "unused", home / "notebooks", home / "site",
        )  # fmt: skip
        queue = Queue()
        client = TestClient(
            create_app(services, runtime, queue),
            base_url=public_url,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        clients.append(client)
        return Site(client, services, queue)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """The site on SQLite. Its gate is not started: `/app/` is tested in `tests/gate`."""
    return make_site()


@pytest.fixture
def pair(site: Site) -> Pair:
    return make_pair(site.services.database)


def are_told_alike(theirs: Any, none: Any, ref: str, missing: str) -> None:
    """The answers for somebody of others and for nobody differ in the word that was sent alone."""
    assert theirs.status_code == none.status_code in {403, 404}, ref
    said, nothing = ({**each.json(), "request_id": ""} for each in (theirs, none))
    assert json.loads(json.dumps(said).replace(ref, missing)) == nothing
    assert ref in said["detail"]


def title_of(html: str) -> str:
    """The first heading of a page."""
    found = re.search(r"<h1>(.*?)</h1>", html, re.DOTALL)
    return found[1].strip() if found else ""
