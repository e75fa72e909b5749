"""How fast `coachops --help` answers, against a bare interpreter and a bare Typer program."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
RUNS = 15
TYPER = "import typer\napp = typer.Typer()\n@app.command()\ndef main(): ...\napp(['--help'])\n"


def main() -> list[dict[str, object]]:
    """Medians of interleaved runs, milliseconds."""
    commands = {
        "coachops": [str(BIN / "coachops"), "--help"],
        "python": [sys.executable, "-c", "pass"],
        "typer": [sys.executable, "-c", TYPER],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(RUNS + 2):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            if run >= 2:  # two warm-up rounds
                times[name].append((time.perf_counter() - began) * 1000)
    median = {name: statistics.median(values) for name, values in times.items()}
    return [
        {
            "name": "coachops --help",
            "value": median["coachops"],
            "unit": "ms",
            "peer": f"{peer} {median[peer]:.0f} ms",
            "ratio": median["coachops"] / median[peer],
            "note": "target: under 200 ms",
        }
        for peer in ("typer", "python")
    ]
