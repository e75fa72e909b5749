"""Workers killed at 100 random moments of the transcript pipeline: what is lost, doubled, paid twice.

The AI service is a server of this machine that takes 40 ms for an answer and counts its requests. A
finished call is one whose reply was kept when the worker was killed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from coachops.bootstrap import prepare
from coachops.core.settings import load_settings
from tests.support.ai_server import AiServer
from tests.support.kills import KilledPipeline

KILLS = 100
SEED = 2026


def main() -> list[dict[str, object]]:
    """The figures of one run on SQLite with one worker at a time."""
    with tempfile.TemporaryDirectory(prefix="coachops-kills-") as folder, AiServer() as server:
        settings = load_settings(
            home=Path(folder) / "home", openai_api_key="sk-bench", openai_base_url=server.url
        )
        prepare(settings)
        began = time.perf_counter()
        pipeline = KilledPipeline(settings, server, Path(folder), seed=SEED)
        figures = pipeline.run(KILLS)
        seconds = time.perf_counter() - began
    for problem in figures.problems:
        print(problem, file=sys.stderr)
    shared = {"unit": f"of {figures.transcripts} transcripts", "note": f"{figures.kills} kills"}
    return [
        {"name": "transcripts lost by kill -9", "value": figures.lost, **shared},
        {"name": "transcripts doubled by kill -9", "value": figures.doubled, **shared},
        {
            "name": "finished AI calls repeated",
            "value": figures.repeated,
            "unit": f"of {figures.calls}",
            "note": f"target: 0; {seconds:.0f} s in all",
        },
    ]
