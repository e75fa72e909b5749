"""A real gate, a real Voila with toy pages, a real Chromium; started once for all tests here."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from coachops.bootstrap.secrets import secret_file
from coachops.core import clock
from coachops.db import Database
from coachops.identity import Identity
from tests.support.patience import PATIENCE, command_line, descendants, running, until
from tests.support.suite import (
    PEOPLE,
    Suite,
    new_context,
    open_chromium,
    require_chromium,
    start_suite,
    write_notebook,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

GRACE = 8.0
"""Seconds: long enough that a socket which breaks while the machine stands still is opened again."""
LIMIT = 6
COOKIE = "coachops_session"
PAGES = [
    {"name": "dash", "title": "Dash", "roles": ["coach"], "preheat": 2},
    {"name": "cold", "title": "Cold", "roles": ["coach"], "preheat": 0},
    {"name": "admin", "title": "Admin", "roles": ["admin"], "preheat": 0},
]


_STILL = 4_000
"""Milliseconds without a change after which a page stands still."""
_RENEWED = "old => document.querySelector('#live').innerText !== old"


@dataclass
class Tab:
    """An open page and what the browser saw while it loaded."""

    page: Page
    html: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    @property
    def live(self) -> str:
        """The line that the kernel renews by itself."""
        return str(self.page.evaluate("document.querySelector('#live')?.innerText ?? ''"))

    @property
    def kernel(self) -> str:
        """Id of the page's kernel, as Voila wrote it into the page."""
        text = self.page.evaluate("document.querySelector('#jupyter-config-data').textContent")
        return str(json.loads(text)["kernelId"])

    def says(self, text: str) -> None:
        """Wait until the page shows what the kernel found out about a client."""
        script = "text => document.querySelector('#out')?.innerText === text"
        self.page.wait_for_function(script, arg=text)

    def ticks(self) -> None:
        """Wait until the kernel renews the page."""
        self.page.wait_for_function(_RENEWED, arg=self.live)

    def stands_still(self) -> None:
        """Wait until the page has not changed for four seconds: what was on its way has come."""
        from playwright.sync_api import TimeoutError as Timeout

        def renewed() -> bool:
            try:
                self.page.wait_for_function(_RENEWED, arg=self.live, timeout=_STILL)
            except Timeout:
                return False
            return True

        until(lambda: not renewed())


@dataclass
class Gated:
    """The suite under attack, with short ways to ask it things."""

    suite: Suite
    browser: Browser
    database: Database
    identity: Identity
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.suite.url).netloc

    def cookie(self, who: str) -> str:
        """A signed-in cookie of a person, the same for the whole session."""
        if who not in self.cookies:
            self.cookies[who] = self.sign_in(who)
        return self.cookies[who]

    def sign_in(self, who: str) -> str:
        """A new sign-in by the form; its cookie."""
        person = PEOPLE[who]
        status, headers, _ = self.ask(
            "/login", "POST", form={"email": person.email, "password": person.password}
        )
        assert status == 303
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        found = re.match(rf"{COOKIE}=([^;]+);", cookie)
        assert found
        return found[1]

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        cookie: str = "",
        origin: str | None = "own",
        host: str = "",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Send exactly this request (no normalising of paths); status, headers, text."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", urlsplit(self.suite.url).port, timeout=PATIENCE
        )
        body = urlencode(form).encode() if form is not None else b""
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or self.host)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Content-Type", "application/x-www-form-urlencoded")
        if origin == "own" and method != "GET":
            connection.putheader("Origin", self.suite.url)
        elif origin not in {"own", None}:
            connection.putheader("Origin", str(origin))
        if cookie:
            connection.putheader("Cookie", f"{COOKIE}={cookie}")
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        received = {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        return response.status, received, text

    def socket(self, path: str, *, cookie: str = "", origin: str | None = "own") -> int:
        """The status with which a websocket handshake ends; 101 where it opens."""
        url = f"ws://{self.host}{path}"
        headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        sent = self.suite.url if origin == "own" else origin
        try:
            with connect(
                url,
                origin=sent,  # type: ignore[arg-type]
                additional_headers=headers,
                proxy=None,
                open_timeout=PATIENCE,
            ):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    def context(self, who: str, cookie: str = "") -> BrowserContext:
        """A browser of somebody who is signed in."""
        context = new_context(self.browser)
        value = cookie or self.cookie(who)
        context.add_cookies([{"name": COOKIE, "value": value, "url": self.suite.url}])
        return context

    def open(self, context: BrowserContext, name: str = "dash") -> Tab:
        """Open a page and wait until its kernel writes into it."""
        page = context.new_page()
        tab = Tab(page, "")
        page.on("request", lambda request: tab.requests.append(request.url))
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        page.on(
            "console",
            lambda line: tab.errors.append(line.text) if line.type == "error" else None,
        )

        def record(payload: Any) -> None:
            text = payload if isinstance(payload, str) else payload.decode("latin-1")
            tab.frames.append(text)

        page.on("websocket", lambda socket: socket.on("framereceived", record))
        response = page.goto(f"{self.suite.url}/app/{name}")
        assert response is not None
        assert response.status == 200, response.text()
        tab.html = response.text()
        page.wait_for_selector("#live")
        return tab

    def child(self, name: str) -> psutil.Process:
        """The process of the table with this name."""
        module = {"api": "coachops.api", "voila": "voila"}[name]
        for process in psutil.Process(self.suite.process.pid).children():
            if module in command_line(process):
                return process
        raise LookupError(name)

    def kernel_processes(self) -> set[str]:
        """Ids of the kernels whose process runs, by the name of their connection file."""
        found = set()
        for process in descendants(self.child("voila")):
            match = re.search(r"kernel-([0-9a-f-]{36})\.json", " ".join(command_line(process)))
            if match and running(process):
                found.add(match[1])
        return found

    def runtime(self) -> Path:
        """The private folder of the run."""
        argument = self.child("api").cmdline()[-1]
        return Path(argument)

    def told(self, page: Page) -> str:
        """What a page shows and the suite has logged, for a failure."""
        return f"{page.url}: {page.inner_text('body')[-1000:]}\n{self.suite.log()[-6000:]}"

    def wait(self, condition: Callable[[], bool]) -> float:
        """Poll until `condition`; the seconds it took."""
        started = clock.monotonic()
        until(condition, said=lambda: self.suite.log()[-3000:])
        return clock.monotonic() - started


@pytest.fixture(scope="package")
def toy_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The running gate with toy pages."""
    require_chromium()
    folder = tmp_path_factory.mktemp("gate")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    shutil.copy(Path(__file__).with_name("toy_page.py"), notebooks / "toy.py")
    (notebooks / "pages.json").write_text(json.dumps(PAGES))
    for row in PAGES:
        code = "import toy\n\ntoy.page()"
        write_notebook(notebooks / f"{row['name']}.ipynb", code, str(row["title"]))
    settings = {
        "COACHOPS_KERNEL_GRACE": str(GRACE),
        "COACHOPS_KERNEL_POOL": "2",
        "COACHOPS_KERNELS_PER_SESSION": str(LIMIT),
        "OPENAI_SECRET_OF_THE_SHELL": "toy-secret",
    }
    with start_suite(folder / "home", pages=notebooks, environment=settings) as suite:
        yield suite


@pytest.fixture(scope="module")
def gated(toy_suite: Suite) -> Iterator[Gated]:
    """The running gate with a browser; for a module only, see `tests.support.suite.chromium`."""
    database = toy_suite.database()
    identity = Identity(database, secret_file(toy_suite.home, "cookie"), 12)
    with open_chromium() as browser:
        yield Gated(toy_suite, browser, database, identity)
    database.close()


@pytest.fixture
def tabs(gated: Gated) -> Iterator[Callable[..., Tab]]:
    """Opens pages that are closed after the test: `tabs("coach_a", "dash")`."""
    contexts = []

    def open_tab(who: str, name: str = "dash") -> Tab:
        context = gated.context(who)
        contexts.append(context)
        return gated.open(context, name)

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture
def other_kernel() -> str:
    return str(uuid.uuid4())  # noqa: TID251 any id that no kernel has
