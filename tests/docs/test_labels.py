"""The guide names buttons and tabs as they are labelled: each `**Label**{.ui}` stands in the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT

LABEL = re.compile(r"\*\*([^*\n]+)\*\*\{\s*\.ui\s*\}")
PAGES = sorted((ROOT / "site").rglob("*.md"))
SURFACES = ("coachops/dashboards", "coachops/api", "coachops/identity")


def _source() -> str:
    """All words of the surfaces, as they stand in code and templates."""
    files = (
        path
        for folder in SURFACES
        for pattern in ("*.py", "*.js", "*.html")
        for path in sorted((ROOT / folder).rglob(pattern))
        if "uplot" not in path.parts
    )
    text = "\n".join(path.read_text("utf-8") for path in files)
    return text.replace("\\u00b6", "¶").replace("\\u2026", "…").replace("&amp;", "&")


SOURCE = _source()


def _stands(label: str) -> bool:
    """Whether the source has the label; `…` in the guide stands for a name, figures for any."""
    parts = [re.escape(part) for part in re.split(r"…", label)]
    pattern = r"[^\"'<>]*".join(re.sub(r"\d+", r"[^\"'<> ]+", part) for part in parts)
    return re.search(rf"[\"'>}}\s]{pattern}[\"'<:{{\s]", SOURCE) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT / "site").as_posix())
def test_each_label_that_a_page_names_exists(page: Path) -> None:
    labels = LABEL.findall(page.read_text("utf-8"))
    assert [label for label in labels if not _stands(label)] == []


def test_the_check_finds_labels_and_misses_none_that_is_wrong() -> None:
    assert sum(len(LABEL.findall(page.read_text("utf-8"))) for page in PAGES) > 40
    assert _stands("Approve and send")
    assert not _stands("Approve and sent")
