"""A process that asks an AI service over and over: for the figures of several processes.

    python -m tests.support.ai_caller guarded|naive SECONDS

`guarded` goes through the gateway, as every part of the suite does; `naive` is the SDK as it comes,
with its own retries. It says `ready` when everything is loaded, starts at a line on its standard
input, and prints one JSON document: calls, those that did well, requests that left, codes.
"""

from __future__ import annotations

import collections
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coachops.ai import shared
from coachops.ai.gateway import Gateway
from coachops.ai.types import AnalysisRequest, Speaker, Utterance
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from tests.support.patience import PATIENCE

REQUEST = AnalysisRequest(
    utterances=(
        Utterance(position=1, speaker=Speaker.COACH, text="What would you like to look at?"),
        Utterance(position=2, speaker=Speaker.CLIENT, text="I will write a list by Friday."),
    ),
    session_date=dt.date(2026, 11, 2),
)
PAUSE = 0.01
"""Seconds between two calls of one process, so that a refused one is no busy loop."""
LEAST = 25
"""Calls of a guarded process, however much of its time the machine stood still."""


def guarded(seconds: float) -> dict[str, Any]:
    """Calls through the gateway."""
    # a busy machine is no database that is away: without what others know, this would count nothing
    shared._PATIENCE = PATIENCE
    settings = load_settings()
    database = Database(settings.database_url)
    gateway = Gateway(settings, database)
    codes: collections.Counter[str] = collections.Counter()
    sent = 0

    def note(_: object) -> None:
        nonlocal sent
        sent += 1

    ends = time.monotonic() + seconds
    while time.monotonic() < ends or codes.total() < LEAST:
        try:
            gateway.analyse(REQUEST, "openai", on_outbound=note)
            codes["well"] += 1
        except CoachError as error:
            codes[error.code] += 1
        time.sleep(PAUSE)
    database.close()
    return {"calls": codes.total(), "well": codes["well"], "sent": sent, "codes": codes}


def naive(seconds: float) -> dict[str, Any]:
    """Calls with the SDK as it comes."""
    import openai

    settings = load_settings()
    client = openai.OpenAI(base_url=settings.openai_base_url, api_key="sk-test")
    codes: collections.Counter[str] = collections.Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "<transcript-0>\n</transcript-0>"}]
            )
            codes["well"] += 1
        except openai.OpenAIError as error:
            codes[type(error).__name__] += 1
        time.sleep(PAUSE)
    return {"calls": codes.total(), "well": codes["well"], "sent": None, "codes": codes}


@contextmanager
def callers(
    number: int, how: str, seconds: float, database_url: str, base_url: str, home: Path
) -> Iterator[list[subprocess.Popen[str]]]:
    """`number` processes that are ready and wait for their start."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "COACHOPS_HOME": str(home),
        "COACHOPS_DATABASE_URL": database_url,
        "COACHOPS_OPENAI_API_KEY": "sk-test",
        "COACHOPS_OPENAI_BASE_URL": base_url,
        "COACHOPS_OPENAI_MODEL": "gpt-4.1-mini",
        "COACHOPS_OPENAI_TIMEOUT": str(PATIENCE),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.ai_caller", how, str(seconds)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline().strip() == "ready"
        yield started
    finally:
        for each in started:
            if each.poll() is None:
                each.kill()
            each.communicate()


def run_callers(started: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Start all at once; what each found."""
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    found = []
    for each in started:
        assert each.stdout is not None
        found.append(json.loads(each.stdout.readline()))
    return found


def main(how: str, seconds: float) -> None:
    """As the module says."""
    import openai  # noqa: F401 loading it is no part of a call

    _say("ready")
    sys.stdin.readline()
    _say(json.dumps((guarded if how == "guarded" else naive)(seconds)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
