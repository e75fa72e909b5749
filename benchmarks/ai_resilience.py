"""An AI service that is dead, slow or well: requests sent into it, overhead, and when a call ends.

Several real processes share one database; the peer is the SDK as it comes, with its own retries.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PROCESSES = 4
SECONDS = 5.0


def main() -> list[dict[str, object]]:
    """The figures of the AI gateway."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' server is used
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_dead(Path(folder)),
            _health(Path(folder)),
            *_shared_state(Path(folder)),
            *_late(Path(folder)),
        ]


def _database_url(folder: Path, name: str) -> str:
    from coachops.db import Database, migrate

    url = f"sqlite:///{folder / name}.db"
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    return url


def _dead(folder: Path) -> list[dict[str, object]]:
    """Four processes call for five seconds while every answer is a 500."""
    sent = {}
    for how in ("naive", "guarded"):
        found, requests = _callers(folder, how, "broken")
        sent[how] = requests
        if how == "guarded" and requests != sum(each["sent"] for each in found):
            raise RuntimeError("the log of what left does not hold every request")
    return [
        {
            "name": f"requests into a dead AI service in {SECONDS:.0f} s, {PROCESSES} processes",
            "value": sent["guarded"],
            "unit": "requests",
            "peer": f"the SDK with its own retries {sent['naive']}",
            "ratio": sent["guarded"] / sent["naive"],
            "note": "target: 10 or fewer",
        }
    ]


def _health(folder: Path) -> dict[str, object]:
    """The same while one answer in 25 is a 500."""
    found, requests = _callers(folder, "guarded", "good", every=25, seconds=3 * SECONDS)
    calls = sum(each["calls"] for each in found)
    return {
        "name": "requests per AI call in health, 4% failing",
        "value": requests / calls,
        "unit": "requests",
        "peer": f"{calls} calls, {sum(each['well'] for each in found)} did well",
        "ratio": requests / calls,
        "note": "target: 1.1 or fewer",
    }


def _callers(
    folder: Path, how: str, always: str, every: int = 0, seconds: float = SECONDS
) -> tuple[list[dict[str, object]], int]:
    from tests.support.ai_caller import callers, run_callers
    from tests.support.ai_server import AiServer

    with AiServer() as server:
        server.always = always
        if every:
            server.on_request = lambda number: (
                server.script.append("broken") if number % every == 0 else None
            )
        url = _database_url(folder, f"{how}-{always}")
        with callers(PROCESSES, how, seconds, url, server.url, folder) as started:
            found = run_callers(started)
        return found, len(server.requests)


def _shared_state(folder: Path) -> list[dict[str, object]]:
    """What asking before and telling after costs a call, on SQLite."""
    from pydantic import SecretStr

    from coachops.ai.shared import SharedState
    from coachops.ai.targets import Target
    from coachops.db import Database
    from coachops.resilience import Ended

    database = Database(_database_url(folder, "state"))
    guard = SharedState(database, 1_000_000).guard(Target("http://x/v1", SecretStr("k"), "m"))
    before, after = [], []
    for _ in range(500):
        began = time.perf_counter()
        leave = guard.admit(10, first=True)
        middle = time.perf_counter()
        guard.settle(leave, Ended.WELL, 12)
        before.append(middle - began)
        after.append(time.perf_counter() - middle)
    database.close()
    return [
        {
            "name": f"shared state {when} an AI call, p50 (SQLite)",
            "value": median(times) * 1_000,
            "unit": "ms",
            "peer": "",
            "ratio": None,
            "note": "breaker, retry budget and spend in one transaction",
        }
        for when, times in (("before", before), ("after", after))
    ]


def _late(folder: Path) -> list[dict[str, object]]:
    """How long after its deadline an analysis of three parts ends, whatever two services do."""
    import openai  # noqa: F401 loading it is no part of a call

    from coachops.ai.gateway import Gateway
    from coachops.ai.types import AnalysisRequest, Speaker, Utterance
    from coachops.core.errors import CoachError
    from coachops.core.settings import load_settings
    from coachops.db import Database
    from tests.support.ai_caller import REQUEST
    from tests.support.ai_server import AiServer

    long = AnalysisRequest(
        utterances=tuple(
            Utterance(position=n, speaker=Speaker.CLIENT, text=f"Thing {n} went well.")
            for n in range(1, 1_000)
        ),
        session_date=REQUEST.session_date,
    )
    deadline, rows = 1.5, []
    for fault in ("hang", "drip", "broken", "truncated", "busy_second"):
        late = []
        for number in range(3):
            with AiServer() as first, AiServer() as second:
                first.always = second.always = fault
                database = Database(_database_url(folder, f"late-{fault}-{number}"))
                settings = load_settings(
                    home=folder,
                    openai_api_key="k",
                    openai_base_url=first.url,
                    second_openai_base_url=second.url,
                    openai_timeout=1.0,
                    ai_deadline=deadline,
                )
                gateway = Gateway(settings, database)
                began = time.perf_counter()
                try:
                    gateway.analyse(long, "openai")
                except CoachError:
                    late.append(time.perf_counter() - began - deadline)
                else:
                    raise RuntimeError("a service that answers nothing gave an analysis")
                database.close()
        rows.append((fault, max(late)))
    fault, worst = max(rows, key=lambda row: row[1])
    return [
        {
            "name": f"end of an analysis after its deadline of {deadline} s, worst of {3 * len(rows)}",
            "value": max(worst, 0.0),
            "unit": "s",
            "peer": f"faults: {', '.join(name for name, _ in rows)}",
            "ratio": None,
            "note": f"target: under 1 s; worst at '{fault}'; two services, three parts",
        }
    ]
