"""What the processes of one installation agree upon when they start: ports, sockets, folders.

The process table (`cli.process_table`) writes it into a folder of its own (mode 0700); the API reads
it there, and Voila's part of it (`claim_socket`) reaches the kernels through one variable.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from coachops.core.errors import CoachError
from coachops.identity.pages import PAGES, Page

FILE = "runtime.json"
CLAIM_VARIABLE = "COACHOPS_CLAIM_SOCKET"
"""Tells a kernel where to redeem its ticket; the only thing of the runtime that kernels know."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running set of processes.

    Attributes:
        folder: private folder of this run, short enough for a Unix socket's path (107 bytes).
        voila_port: where Voila listens on the loopback interface.
        voila_token: opens Voila; known to the gate and to Voila only.
        notebooks: folder of the dashboards' notebooks.
        guide: the built guide.
        pages: what may be opened under `/app/`.
    """

    folder: Path
    voila_port: int
    voila_token: str
    notebooks: Path
    guide: Path
    pages: tuple[Page, ...] = PAGES

    @property
    def claim_socket(self) -> Path:
        """The private listener where kernels redeem tickets."""
        return self.folder / "claim.sock"

    def save(self) -> None:
        """Write the runtime into its folder, readable by its owner only."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = dataclasses.asdict(self) | {
            "pages": [
                dataclasses.asdict(page) | {"roles": sorted(page.roles)} for page in self.pages
            ]
        }
        handle = os.open(self.folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, default=str)

    @classmethod
    def load(cls, folder: Path) -> Runtime:
        """The runtime saved in `folder`. Raises COACH-SYS-004 where there is none."""
        path = folder / FILE
        if not path.is_file():
            raise CoachError("COACH-SYS-004", path=path)
        document = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            folder=folder,
            voila_port=document["voila_port"],
            voila_token=document["voila_token"],
            notebooks=Path(document["notebooks"]),
            guide=Path(document["guide"]),
            pages=tuple(
                Page(row["name"], row["title"], frozenset(row["roles"]), row["preheat"])
                for row in document["pages"]
            ),
        )
