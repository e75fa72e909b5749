"""Refuse notebooks with outputs, long or defining cells, or cells that papermill injected."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 10
_DEFINES = re.compile(r"^\s*(def|class|async def)\s", re.MULTILINE)
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b.+\b(FROM|INTO|SET)\b", re.DOTALL)


def problems(path: Path) -> list[str]:
    """What is wrong with a notebook, one line each."""
    found = []
    for number, cell in enumerate(json.loads(path.read_text())["cells"], start=1):
        source = "".join(cell["source"])
        where = f"{path.relative_to(ROOT)}, cell {number}"
        if "injected-parameters" in cell.get("metadata", {}).get("tags", []):
            found.append(f"{where}: injected parameters; commit the source, not a run")
        if cell["cell_type"] != "code":
            continue
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(f"{where}: has outputs; run 'make format'")
        if len(source.splitlines()) > MAX_LINES:
            found.append(f"{where}: more than {MAX_LINES} lines; move code into the package")
        if _DEFINES.search(source) or _SQL.search(source):
            found.append(f"{where}: defines code or holds SQL; move it into the package")
    return found


def main() -> int:
    """Check every notebook in git; 1 where one has a problem."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.ipynb"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    found = [line for name in listed if name for line in problems(ROOT / name)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
