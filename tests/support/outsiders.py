"""Programs that others wrote, found on this machine: they judge what we make."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing_tool
from tests.support.patience import WHOLE

_BIN = Path(__file__).resolve().parents[1] / "outsiders" / ".venv" / "bin"


def outsider(name: str, *arguments: object, cwd: Path | None = None) -> tuple[int, str]:
    """Run a program of the environment of outsiders, or of the system; exit code and output.

    Skips the test where the program is missing (fails on CI).
    """
    program = _BIN / name if (_BIN / name).exists() else shutil.which(name)
    if program is None:
        missing_tool(name)
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=WHOLE,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
