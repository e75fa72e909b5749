"""The built guide: its links lead somewhere, it loads nothing from elsewhere, it is current."""

from __future__ import annotations

import codecs
import re
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from fastapi.testclient import TestClient
from markupsafe import Markup

from coachops.api import create_app
from coachops.bootstrap import Services
from coachops.core.errors import CATALOGUE
from coachops.core.settings import load_settings
from coachops.dashboards.theme import COLOURS
from coachops.db import Database
from coachops.identity.runtime import Runtime
from tests.docs.conftest import ROOT, BuiltPage

_GUIDE = "/guide/"
_ASKED_FOR = (
    "",
    "start/first-session/",
    "start/installation/",
    *(
        f"guides/{name}/"
        for name in (
            "coach-workspace", "admin-overview", "users-and-sign-in", "reports", "notebooks",
            "export", "command-line", "api",
        )
    ),
    "how-to/when-something-fails/",
    "explanation/architecture/",
    "explanation/analysis/",
    "explanation/privacy/",
    "decisions/",
    "reference/",
)  # fmt: skip


def test_every_surface_and_every_reader_has_a_page(built: dict[str, BuiltPage]) -> None:
    assert set(_ASKED_FOR) <= set(built)


def test_every_link_of_the_guide_leads_to_a_page_and_an_anchor_that_exist(
    built: dict[str, BuiltPage], site: Path
) -> None:
    dead = []
    for address, page in built.items():
        for link in page.links:
            parts = urlsplit(urljoin(f"https://guide.test{_GUIDE}{address}", link))
            if parts.hostname != "guide.test":
                continue
            target = unquote(parts.path).removeprefix(_GUIDE)
            known = built.get(target)
            if known is not None:
                alive = not parts.fragment or parts.fragment in known.anchors
            else:
                alive = bool(target) and (site / target).is_file()
            if not alive:
                dead.append(f"{address}: {link}")
    assert dead == []


def test_the_guide_loads_nothing_from_another_host(built: dict[str, BuiltPage], site: Path) -> None:
    foreign = [
        f"{address}: {tag} {where}"
        for address, page in built.items()
        for tag, where in page.loads
        if urlsplit(where).netloc
    ]
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        foreign += [
            f"{sheet.name}: {where}"
            for where in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", text)
            if where.startswith(("http:", "https:", "//"))
        ]
    assert foreign == []


def test_the_guide_sends_nobody_to_another_host(built: dict[str, BuiltPage]) -> None:
    outside = {link for page in built.values() for link in page.links if urlsplit(link).netloc}
    assert outside == set()


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_error_code_has_its_row_and_its_page(built: dict[str, BuiltPage], code: str) -> None:
    assert code.lower() in built["reference/errors/"].anchors
    assert f"reference/errors/{code.lower()}/" in built


def test_the_page_of_every_code_is_served_to_everybody_and_complete(
    site: Path, tmp_path: Path, sqlite_database: Database
) -> None:
    """As whoever follows a problem's `type`, a command's hint or a card's link gets it."""
    settings = load_settings(home=tmp_path, database_url=sqlite_database.url)
    runtime = Runtime(tmp_path, 1, "unused", tmp_path, site)
    app = create_app(Services(settings, sqlite_database), runtime)
    with closing(TestClient(app, base_url=settings.public_url, follow_redirects=False)) as client:
        for code, spec in CATALOGUE.items():
            page = client.get(spec.page)
            assert page.status_code == 200, code
            text = " ".join(unescape(Markup(page.text).striptags()).split())  # noqa: S704 only read
            assert f"{code} " in text
            for part in (spec.happened, spec.why, spec.next_step):
                words = re.sub(r"\{(\w+)\}", lambda gap: gap[1].replace("_", " "), part)
                assert _letters(words) in _letters(text), code


def _letters(text: str) -> str:
    """Text without spaces and the quotes and dashes that a browser's page writes its own way."""
    return re.sub(r"[\s'\"\u2018\u2019\u201c\u201d\u2013\u2014.*-]", "", text)


def test_help_links_of_the_product_lead_to_pages_of_the_guide(built: dict[str, BuiltPage]) -> None:
    found = []
    for path in (ROOT / "coachops").rglob("*"):
        if path.suffix not in {".py", ".js", ".html", ".j2"} or "static" in path.parts:
            continue
        links = re.findall(r"[\"'(](/guide/[\w/.-]*(?:#[\w-]+)?)[\"')]", path.read_text())
        found += [(path.relative_to(ROOT).as_posix(), link) for link in links]
    assert any(link.endswith("when-something-fails/") for _, link in found)
    for where, link in found:
        address, _, anchor = link.removeprefix(_GUIDE).partition("#")
        assert address in built, f"{where}: {link}"
        assert not anchor or anchor in built[address].anchors, f"{where}: {link}"


def test_the_guide_has_the_colours_of_the_dashboards() -> None:
    sheet = (ROOT / "site" / "assets" / "guide.css").read_text(encoding="utf-8")
    tokens = dict(re.findall(r"--co-([a-z-]+):\s*(#[0-9a-f]{6});", sheet))
    assert tokens
    assert tokens == {name: COLOURS[name] for name in tokens}


def _words_of_the_product() -> str:
    """All texts that the pages of the product can show, escapes read, white space as one space."""
    texts = []
    for folder in ("dashboards", "api"):
        for path in sorted((ROOT / "coachops" / folder).rglob("*")):
            if path.suffix in {".py", ".js", ".html", ".j2"} and "static" not in path.parts:
                text = path.read_text(encoding="utf-8")
                text = re.sub(
                    r"\\u[0-9a-f]{4}", lambda m: codecs.decode(m[0], "unicode_escape"), text
                )
                texts.append(" ".join(text.split()))
    return " ".join(texts)


def test_every_button_that_the_guide_names_is_one_of_the_product() -> None:
    product = _words_of_the_product()
    unknown = []
    for page in sorted((ROOT / "site").rglob("*.md")):
        text = " ".join(page.read_text(encoding="utf-8").split())
        for label in re.findall(r"\*\*([^*]+)\*\*\{\s*\.ui\s*\}", text):
            # names and numbers stand where the product fills them in: "…", "¶12"
            pieces = [piece.strip() for piece in re.split(r"…|\d+", label)]
            if not all(piece in product for piece in pieces if piece):
                unknown.append(f"{page.relative_to(ROOT)}: {label}")
    assert unknown == []
