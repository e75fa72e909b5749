"""The running suite for browser tests: real processes on free ports, seeded people, one Chromium.

`running_suite` starts `coachops serve` once for all files of a folder; `start_suite` starts one
with other pages or settings. People: an admin and two coaches with passwords, two clients each.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings, load_settings
from coachops.db import Database, migrate
from coachops.db.models import Client, Coach, Consent, Engagement
from coachops.identity import Identity
from tests.support.patience import PAGE, PATIENCE
from tests.support.postgres import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "a long and quiet sentence"


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    email: str
    name: str
    password: str = PASSWORD


PEOPLE = {
    "admin": Person("ada@example.org", "Ada Admin"),
    "coach_a": Person("anna@example.org", "Anna Alder"),
    "coach_b": Person("ben@example.org", "Ben Birch"),
    "analyst": Person("ines@example.org", "Ines Ivy"),
}
CLIENTS = {"coach_a": ("client-a1", "client-a2"), "coach_b": ("client-b1", "client-b2")}
"""External ids of the clients of each coach."""


@dataclass
class Suite:
    """A suite that runs.

    Attributes:
        url: its origin.
        home: its home folder (outbox, secrets).
        database_url: its database, for looking inside.
        lines: the log so far.
    """

    url: str
    home: Path
    database_url: str
    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    started: bool = False

    def log(self) -> str:
        """Everything the processes wrote."""
        return "\n".join(self.lines)

    def database(self) -> Database:
        """A connection of the test's own; close it."""
        return Database(self.database_url)


def seed_people(settings: Settings) -> None:
    """Users with passwords, coaches, clients, engagements and consent to processing."""
    database = Database(settings.database_url)
    migrate.upgrade(database)
    identity = Identity(database, b"unused", settings.session_hours)
    at = clock.now()
    with database.write() as session:
        for key, refs in CLIENTS.items():
            person = PEOPLE[key]
            coach = Coach(external_id=key, name=person.name, email=person.email)
            session.add(coach)
            session.flush()
            for ref in refs:
                client = Client(external_id=ref, name=f"Name {ref}", email=f"{ref}@example.org")
                session.add(client)
                session.flush()
                session.add(
                    Engagement(
                        external_id=f"e-{ref}",
                        coach_id=coach.id,
                        client_id=client.id,
                        started_on=at.date(),
                    )
                )
                session.add(
                    Consent(client_id=client.id, kind="processing", granted=True, recorded_at=at)
                )
    for key, person in PEOPLE.items():
        role = "coach" if key.startswith("coach") else key
        identity.add_user(SYSTEM, person.email, person.name, role, password=person.password)
    database.close()


@contextmanager
def start_suite(
    home: Path,
    database_url: str = "",
    *,
    pages: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Suite]:
    """A seeded suite in processes of its own, stopped by SIGTERM at the end.

    Parameters:
        home: an empty folder.
        database_url: any database; empty: SQLite in `home`.
        pages: a folder with `pages.json` and notebooks, served instead of the product's.
        environment: settings (`COACHOPS_…`) beyond those of a quick local suite.
    """
    port = free_port()
    settings = load_settings(home=home, database_url=database_url, port=port)
    home.mkdir(parents=True, exist_ok=True)
    seed_people(settings)
    variables = {
        **{k: v for k, v in os.environ.items() if not k.startswith("COACHOPS_")},
        "COACHOPS_HOME": str(home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_PORT": str(port),
        "COACHOPS_KERNEL_GRACE": "60",  # a page that stands still is not one that was closed
        "PYTHONPATH": str(Path(__file__).with_name("patient_start")),
        "COACHOPS_KERNEL_POOL": "1",
        # one that stands still may hold the lock of the file; servers have limits of their own
        **({} if database_url else {"COACHOPS_DATABASE_WAIT": "120"}),
        **(environment or {}),
    }
    command = [sys.executable, "-m", "coachops.cli.main", "serve"]
    if pages is not None:
        command = [sys.executable, "-m", "tests.support.serve_pages", str(pages)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    suite = Suite(settings.public_url, home, settings.database_url, process)
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(suite, ready), daemon=True)
    reader.start()
    try:
        if not ready.wait(PATIENCE) or not suite.started:
            raise RuntimeError(f"the suite did not start:\n{suite.log()}")
        yield suite
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
        reader.join(timeout=PATIENCE)


def _read(suite: Suite, ready: threading.Event) -> None:
    assert suite.process.stdout is not None
    with suite.process.stdout as stream:
        for line in stream:
            suite.lines.append(line.decode("utf-8", "replace").rstrip())
            if "coachops is running at" in suite.lines[-1]:
                suite.started = True
                ready.set()
    ready.set()


def require_chromium() -> None:
    """Skip without Chromium, except in CI where its absence is a failure."""
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing (apt-get install chromium)")
        pytest.skip("no Chromium at /usr/bin/chromium (apt-get install chromium)")


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A browser of somebody's own; whatever it waits for, it waits as long as tests wait."""
    context = browser.new_context(**options)
    context.set_default_timeout(PAGE)
    context.set_default_navigation_timeout(PAGE)
    return context


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A headless Chromium that talks to nobody but the pages under test."""
    from playwright.sync_api import sync_playwright

    require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            timeout=PAGE,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="package")
def running_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The product's suite on SQLite, for browser tests that follow each other.

    Not for the session: its worker looks for work all the time, which other tests would wait for.
    """
    require_chromium()
    with start_suite(tmp_path_factory.mktemp("suite") / "home") as suite:
        yield suite


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module; each test opens contexts of its own.

    Not for the session: Playwright keeps an event loop running in this thread while it is open, and
    tests of other modules must find none.
    """
    with open_chromium() as browser:
        yield browser


def sign_in_quietly(page: Page, suite: Suite, email: str, password: str = PASSWORD) -> None:
    """Sign in by the form's request alone: the page it leads to would start a kernel for nobody.

    That people come in by the form itself is what the tests of the workspace and of outages show.
    """
    answer = page.context.request.post(
        f"{suite.url}/login",
        form={"email": email, "password": password},
        headers={"Origin": suite.url},
        max_redirects=0,
        timeout=PAGE,
    )
    assert answer.status == 303, answer.text()


def get(url: str) -> tuple[int, str]:
    """Status and text of an address, without cookies and proxies."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as response:
        return response.status, response.read().decode()


def write_notebook(path: Path, code: str, title: str) -> None:
    """A two-cell notebook as dashboards have it."""
    name = re.sub(r"\W", "", title).lower()
    cells = [
        {"cell_type": "markdown", "id": f"{name}-t", "metadata": {}, "source": f"# {title}"},
        {
            "cell_type": "code", "id": f"{name}-c", "metadata": {}, "source": code,
            "outputs": [], "execution_count": None,
        },
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "title": title}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document))
