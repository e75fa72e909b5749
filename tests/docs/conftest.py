"""The guide, built once for the tests of a worker as `make docs` builds it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class BuiltPage(HTMLParser):
    """What a page of the built guide holds: its anchors, links and what it makes a browser load.

    Attributes:
        anchors: ids that a link may point at.
        links: addresses of `<a href>`.
        loads: (tag, address) of scripts, styles, pictures, frames and the like.
        text_of_styles: inline style sheets.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append((tag, values.get("href", "")))
        for name in ("src", "srcset", "poster", "data"):
            if name in values and tag != "a":
                self.loads.append((tag, values[name]))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the built guide; a warning of the strict build fails every test that asks for it."""
    folder = tmp_path_factory.mktemp("guide") / "site"
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "mkdocs"),
            "build", "--strict", "--quiet", "--site-dir", str(folder),
        ],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def built(site: Path) -> dict[str, BuiltPage]:
    """Every page by its address below the guide, such as `start/first-session/`."""
    pages: dict[str, BuiltPage] = {}
    for path in sorted(site.rglob("index.html")):
        page = BuiltPage()
        page.feed(path.read_text(encoding="utf-8"))
        folder = path.parent.relative_to(site).as_posix()
        pages["" if folder == "." else f"{folder}/"] = page
    return pages
