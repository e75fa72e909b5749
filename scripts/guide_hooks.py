"""Hooks of the guide's build: pictures of the running suite stand in it once they have been taken.

A page says `<!-- screenshot: workspace.png | what it shows -->`. Where `make screenshots` has written
the file, the picture stands there, else nothing, so the guide can be built before the suite ever ran.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_MARK = re.compile(r"<!-- screenshot: ([\w-]+\.png) \| (.+?) -->")


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
