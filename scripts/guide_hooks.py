"""Hooks of the guide's build: pictures of the running suite, and a page for each error code.

A page says `<!-- screenshot: workspace.png | what it shows -->`. Where `make screenshots` has written
the file, the picture stands there, else nothing, so the guide can be built before the suite ever ran.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads hooks by their path

from error_pages import code_pages

_MARK = re.compile(r"<!-- screenshot: ([\w-]+\.png) \| (.+?) -->")


def on_files(files: Files, *, config: Any, **_: object) -> Files:
    """The guide's files with a page for each code of the catalogue."""
    for path, text in code_pages().items():
        page = File.generated(config, path, content=text, inclusion=InclusionLevel.NOT_IN_NAV)
        files.append(page)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: object) -> str:
    """The page with its pictures."""
    folder = Path(config["docs_dir"]) / "assets" / "screenshots"
    up = "../" * page.file.src_uri.count("/")

    def picture(mark: re.Match[str]) -> str:
        if not (folder / mark[1]).is_file():
            return ""
        return (
            f'<figure markdown class="shot">\n![{mark[2]}]({up}assets/screenshots/{mark[1]})\n'
            f"<figcaption>{mark[2]}</figcaption>\n</figure>"
        )

    return _MARK.sub(picture, markdown)
