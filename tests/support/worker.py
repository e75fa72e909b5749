"""Background work in processes of their own, which tests may kill."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from coachops.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a process finds the same installation."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_MAIL_FROM": settings.mail_from,
        "COACHOPS_SMTP_URL": settings.smtp_url.get_secret_value(),
    }


def start_worker(settings: Settings) -> subprocess.Popen[str]:
    """`coachops worker` as an operator starts it; logs go to the pipe `stderr`."""
    return subprocess.Popen(
        [Path(sys.executable).parent / "coachops", "worker"],
        env=environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(settings: Settings, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process with the same installation."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
