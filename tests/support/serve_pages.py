"""`coachops serve` with other pages: `python -m tests.support.serve_pages FOLDER`.

FOLDER holds notebooks and `pages.json`: `[{"name", "title", "roles", "preheat"}]`. No worker runs.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from coachops.cli.process_table import make_runtime, table, write_voila_config
from coachops.cli.supervisor import Supervisor, stopped_by_signals
from coachops.core.settings import load_settings
from coachops.identity.pages import Page


def main(notebooks: Path) -> None:
    settings = load_settings()
    rows = json.loads((notebooks / "pages.json").read_text())
    pages = tuple(
        Page(row["name"], row["title"], frozenset(row["roles"]), row["preheat"]) for row in rows
    )
    folder = Path(tempfile.mkdtemp(prefix="coachops-"))
    try:
        runtime = make_runtime(folder, pages, notebooks)
        runtime.save()
        write_voila_config(settings, runtime)
        supervisor = Supervisor(table(settings, runtime, worker=False))
        with stopped_by_signals(supervisor):
            supervisor.run(
                lambda: sys.stdout.write("coachops is running at\n") and sys.stdout.flush()
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
