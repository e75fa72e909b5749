"""Background work in processes of their own, which tests may kill."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

from coachops.core.settings import Settings
from tests.support.commands import Forked, run_forked
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The environment in which a process finds the same installation; `extra` is added to it."""
    on_file = settings.database_url.startswith("sqlite")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_MAIL_FROM": settings.mail_from,
        "COACHOPS_SMTP_URL": settings.smtp_url.get_secret_value(),
        "COACHOPS_OPENAI_API_KEY": settings.openai_api_key.get_secret_value(),
        "COACHOPS_OPENAI_BASE_URL": settings.openai_base_url,
        "COACHOPS_OPENAI_TIMEOUT": str(PATIENCE),
        "COACHOPS_AI_DEADLINE": str(4 * PATIENCE),
        "COACHOPS_TIME_ZONE": settings.time_zone,
        # one that stands still may hold the lock of the file; servers have limits of their own
        **({"COACHOPS_DATABASE_WAIT": "120"} if on_file else {}),
        **extra,
    }


def start_worker(settings: Settings, **extra: str) -> Forked:
    """`coachops worker` as an operator starts it; logs go to the pipe `stderr`."""
    return Forked("worker", env=environment(settings, **extra), stderr=subprocess.PIPE)


def run_command(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a `coachops` command in the same installation."""
    return run_forked(*arguments, env=environment(settings))


def run_python(settings: Settings, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process with the same installation."""
    return run_forked("-c", textwrap.dedent(code), *arguments, env=environment(settings))
