"""The pictures of the README and the guide, taken from the running suite on the demo's data.

`make screenshots` runs it: the demo in a folder of its own, `coachops serve` on a free port, the
coach and the admin signed in through their one-time links, and a picture of each page on a laptop
and on a phone. A picture above `LIMIT` fails: the repository shall stay small.

    .venv/bin/python scripts/screenshots.py [--home FOLDER] [--out FOLDER]

`--home` keeps (and uses again) the demo's folder; without it a temporary one is made.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "site" / "assets" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LIMIT = 300_000  # bytes of a picture
WAIT = 240_000  # milliseconds
PASSWORD = "only for these pictures"  # noqa: S105 of a demo that lives for a minute


def main() -> int:
    """Take every picture; 1 where one is too big."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, help="folder of the demo, kept")
    parser.add_argument("--out", type=Path, default=OUT, help="where the pictures go")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coachops-pictures-") as folder:
        home = (chosen.home or Path(folder) / "home").resolve()
        environment = _environment(home)
        links = _demo(environment)
        with _served(environment):
            pictures = _take(links, chosen.out)
    too_big = [p for p in pictures if p.stat().st_size > LIMIT]
    for picture in pictures:
        print(f"{picture.relative_to(ROOT) if picture.is_relative_to(ROOT) else picture}  "
              f"{picture.stat().st_size // 1024} kB")  # fmt: skip
    if too_big:
        print(f"above {LIMIT // 1000} kB: {', '.join(p.name for p in too_big)}", file=sys.stderr)
    return 1 if too_big else 0


def _environment(home: Path) -> dict[str, str]:
    """Settings of the demo's installation on a free port; none of the person who runs this."""
    from coachops.cli.process_table import free_port

    kept = {k: v for k, v in os.environ.items() if not k.startswith("COACHOPS_")}
    return {**kept, "COACHOPS_HOME": str(home), "COACHOPS_PORT": str(free_port())}


def _demo(environment: dict[str, str]) -> dict[str, str]:
    """Run the demo; the one-time links of the coach and of the admin."""
    done = subprocess.run(
        [sys.executable, "-m", "coachops.cli.main", "demo", "--json"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    made = json.loads(done.stdout)
    found = {"admin" if "admin" in name else "coach": link for name, link in made["sign_in"]}
    if set(found) != {"admin", "coach"}:
        raise SystemExit("the demo named no links for an admin and a coach")
    return found


@contextmanager
def _served(environment: dict[str, str]) -> Iterator[None]:
    """The suite on that data, stopped by SIGTERM at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coachops.cli.main", "serve"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    ready, log = threading.Event(), []

    def read() -> None:
        for line in process.stdout or ():
            log.append(line.rstrip())
            if "coachops is running at" in line:
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        if not ready.wait(WAIT / 1000) or process.poll() is not None:
            raise SystemExit("the suite did not start:\n" + "\n".join(log[-20:]))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=WAIT / 1000)


def _take(links: dict[str, str], out: Path) -> list[Path]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            return [
                *_workspace(browser, links["coach"], out),
                *_overview(browser, links["admin"], out),
            ]
        finally:
            browser.close()


def _signed_in(browser: Browser, link: str, path: str) -> Page:
    """A laptop's page of somebody who used their one-time link."""
    page = browser.new_context(viewport=LAPTOP, locale="en-GB").new_page()  # type: ignore[arg-type]
    page.goto(link)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main button[type=submit], form button[type=submit]").first.click()
    page.wait_for_url(f"**{path}", timeout=WAIT)
    return page


def _workspace(browser: Browser, link: str, out: Path) -> Iterator[Path]:
    """Home, and a session with a citation followed into the transcript."""
    page = _signed_in(browser, link, "/app/workspace")
    page.wait_for_selector("[aria-label='Recent sessions'] .ws-row", timeout=WAIT)
    yield from _both(page, out, "workspace-home", "h1:has-text('Good ')")
    page.locator("[aria-label='Recent sessions'] .ws-row").first.click()
    page.wait_for_selector("h2:has-text('Summary')", timeout=WAIT)
    page.wait_for_selector(".co-utterance", timeout=WAIT)
    yield _shot(page, out / "workspace-phone.png", PHONE)
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    page.locator(".co-chip").nth(2).click()
    page.wait_for_selector(".co-utterance-target", timeout=WAIT)
    page.evaluate("window.scrollTo(0, 0)")
    yield _shot(page, out / "workspace.png", LAPTOP)
    page.context.close()


def _overview(browser: Browser, link: str, out: Path) -> Iterator[Path]:
    """What an admin sees first."""
    page = _signed_in(browser, link, "/app/overview")
    yield from _both(page, out, "overview", ".co-metric")
    page.context.close()


def _both(page: Page, out: Path, name: str, ready: str) -> Iterator[Path]:
    """A page on a laptop and on a phone."""
    page.wait_for_selector(ready, timeout=WAIT)
    yield _shot(page, out / f"{name}.png", LAPTOP)
    yield _shot(page, out / f"{name}-phone.png", PHONE)
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]


def _shot(page: Page, path: Path, size: dict[str, int]) -> Path:
    """A picture once the page stands still: no skeleton, no work, charts drawn."""
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.wait_for_function(
        "!document.querySelector('.co-skeleton, [data-busy], .co-busy')", timeout=WAIT
    )
    page.wait_for_function(
        """() => new Promise((done) => {
             let last = '', same = 0;
             const look = () => {
               const now = document.body.innerHTML.length + ' ' + document.body.scrollHeight;
               same = now === last ? same + 1 : 0;
               last = now;
               if (same > 30) done(true); else requestAnimationFrame(look);
             };
             look();
           })""",
        timeout=WAIT,
    )
    page.screenshot(path=path)
    return path


if __name__ == "__main__":
    raise SystemExit(main())
