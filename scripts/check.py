"""The quick gate: what CI runs first. Every check runs, two at a time, even where one fails."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("types", [f"{BIN}/mypy"]),
    ("format", [f"{BIN}/ruff", "format", "--check", "--quiet", "."]),
    ("lint", [f"{BIN}/ruff", "check", "--quiet", "--output-format", "concise", "."]),
    ("layers", [f"{BIN}/lint-imports", "--no-cache"]),
    ("notebooks", [sys.executable, "scripts/notebooks.py"]),
    ("reference pages", [sys.executable, "scripts/reference.py", "--check"]),
    ("guide", [f"{BIN}/mkdocs", "build", "--strict", "--quiet", "--site-dir", "build/check-site"]),
    ("lock file", [f"{BIN}/uv", "lock", "--check", "--offline", "--quiet"]),
)


def run(check: tuple[str, list[str]]) -> tuple[str, float, int, str]:
    """Name, seconds, exit code and output of a check."""
    name, command = check
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return name, time.monotonic() - began, done.returncode, done.stdout


def main() -> int:
    """Run all checks; 1 where one fails."""
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for name, seconds, code, output in pool.map(run, CHECKS):
            print(f"{'ok  ' if code == 0 else 'FAIL'} {name} ({seconds:.1f} s)", flush=True)
            if code:
                failed += 1
                print(output.rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
