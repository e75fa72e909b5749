"""`coachops lab`: JupyterLab on the analyst notebooks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from coachops.core.errors import CoachError

app = typer.Typer(add_completion=False)


@app.command()
def lab(
    folder: Path = typer.Option(Path("notebooks/analysis"), help="Folder of the notebooks."),
    port: int = typer.Option(8888, help="Port on this machine."),
) -> None:
    """Open JupyterLab on the analyst notebooks, on this machine only.

    Example:  coachops lab --port 8888
    """
    if not folder.is_dir():
        raise CoachError("COACH-SYS-004", path=folder)
    from coachops.bootstrap import services  # noqa: PLC0415 imports SQLAlchemy

    services().close()  # refuses a database that is not set up, before a browser opens
    arguments = [
        sys.executable, "-m", "jupyterlab", f"--port={port}", "--ip=127.0.0.1",
        f"--ServerApp.root_dir={folder.resolve()}",
    ]  # fmt: skip
    if os.getuid() == 0:
        arguments += ["--allow-root", "--no-browser"]
    os.execv(sys.executable, arguments)  # noqa: S606 our own interpreter with fixed arguments
