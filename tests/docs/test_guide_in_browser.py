"""The guide in Chromium: usable by everybody, on a phone as well, without a network."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.faults import long_too
from tests.support.suite import chromium, new_context  # noqa: F401 a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

_PAGES = (
    "",
    "start/first-session/",
    "start/installation/",
    "how-to/when-something-fails/",
    "explanation/architecture/",
    "reference/errors/",
)
_DESK, _PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base's own word
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the built guide is served."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(params=long_too([("light", _PHONE), ("dark", _DESK)], [("light", _DESK)]),
                ids=["light-phone", "dark", "light"])  # fmt: skip
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:  # noqa: F811
    """A page of a browser of this size and scheme, which notes every address it asks for."""
    scheme, viewport = request.param
    context = new_context(chromium, viewport=viewport, color_scheme=scheme)
    yield context.new_page()
    context.close()


def _open(page: Page, url: str) -> None:
    """Open a page and wait until the theme's script has run over it."""
    page.goto(url)
    page.wait_for_selector(".md-search[aria-label]", state="attached")
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.wait_for_function(
        "[...document.querySelectorAll('.md-typeset table:not([class])')]"
        ".every(table => table.closest('.md-typeset__scrollwrap'))"
    )


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page: Page, address: str) -> None:
    problems = []
    for where in _PAGES:
        _open(page, address + where)
        wider = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        if wider > 0:
            problems.append(f"{where or 'home'}: {wider} px wider than the screen")
        for found in Axe().run(page).response["violations"]:
            first = found["nodes"][0]
            problems.append(f"{where or 'home'}: {found['id']}: {first['html'][:200]}")
    assert problems == []


@pytest.mark.parametrize("page", [("light", _DESK)], indirect=True, ids=["light"])
def test_search_finds_a_page_and_no_other_host_is_asked(page: Page, address: str) -> None:
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    _open(page, address)
    page.keyboard.press("/")
    page.keyboard.type("consent is missing")
    page.locator(".md-search-result__link", has_text="When something fails").first.wait_for()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("page", [("light", _DESK)], indirect=True, ids=["light"])
def test_the_first_session_is_reached_by_keyboard_from_the_home_page(
    page: Page, address: str
) -> None:
    _open(page, address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the content
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == "I coach":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/start/first-session/")
    assert page.locator("h1").inner_text().startswith("Your first session in 15 minutes")
