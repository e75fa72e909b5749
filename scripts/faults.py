"""`make faults`: inject every fault of the matrix into real parts and print `45 of 45`.

Words of the command line go to pytest; the numbers among them choose rows: `make faults ARGS="1 7"`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults.matrix import MATRIX  # noqa: E402 the project's own root is no package path yet


def main(arguments: list[str]) -> int:
    """Run the tests that claim rows, long forms included; 1 where a row was not survived."""
    chosen = {int(word) for word in arguments if word.isdecimal()} or set(MATRIX)
    rest = [word for word in arguments if not word.isdecimal()]
    with tempfile.TemporaryDirectory(prefix="coachops-faults-") as folder:
        environment = {
            **os.environ,
            "COACHOPS_FAULT_RUNS": "long",
            "COACHOPS_FAULT_REPORT": folder,
            "COACHOPS_FAULT_ROWS": ",".join(map(str, sorted(chosen))),
        }
        command = [sys.executable, "-m", "pytest", "-m", "faults", "--timeout=3600", "-q", *rest]
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        results = _results(Path(folder))
    return _print(results, chosen)


def _results(folder: Path) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            for row in entry["rows"]:
                found[row].append((entry["test"], entry["outcome"]))
    return found


def _print(results: dict[int, list[tuple[str, str]]], chosen: set[int]) -> int:
    survived = 0
    for number in sorted(chosen):
        fault, must = MATRIX[number]
        outcomes = [outcome for _, outcome in results.get(number, [])]
        good = bool(outcomes) and set(outcomes) == {"passed"}
        survived += good
        state = "ok  " if good else "FAIL"
        note = f"{len(outcomes)} tests" if good else (", ".join(sorted(set(outcomes))) or "no test")
        print(f"{state} {number:2}  {fault:52} {must}  ({note})")
        if not good:
            for test, outcome in results.get(number, []):
                print(f"         {outcome}: {test}")
    print(f"{survived} of {len(chosen)}")
    return 0 if survived == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
