"""`make bench`: run every benchmark, print a table, and write `build/bench.json`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

MODULES = (
    "command_line",
    "seeding",
    "local_engine",
    "export",
    "conservation",
    "failover",
    "backup",
    "backup_postgres",
    "recovery",
    "ai_resilience",
    "audit_chain",
    "feed_pages",
    "feed_stress",
)


def main(arguments: list[str]) -> int:
    """Run the benchmarks named, or all; `--json` prints the document instead of the table."""
    names = [name for name in arguments if not name.startswith("-")] or list(MODULES)
    if {"--help", "-h"} & set(arguments):
        print(f"{__doc__}\n\npython -m benchmarks [NAME ...] [--json]\n\nNames:")
        for name in MODULES:
            about = importlib.import_module(f"benchmarks.{name}").__doc__ or ""
            print(f"  {name}: {about.splitlines()[0]}")
        return 0
    if unknown := [name for name in names if name not in MODULES]:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(MODULES)}")
        return 2
    rows: list[dict[str, object]] = []
    for name in names:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").main()
    document = {"benchmarks": rows}
    target = Path("build/bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n")
    if "--json" in arguments:
        print(json.dumps(document))
        return 0
    columns = ("name", "value", "unit", "peer", "ratio", "note")
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        print("  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)))
    print(f"\nAs JSON: {target}")
    return 0


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
