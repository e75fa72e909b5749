"""What followers of the change feed have wrong after twelve writers: `--seconds 60` on both databases.

The writers insert, change, delete, cascade, move sessions, transcripts, engagements and goals between
coaches, take transactions back and commit late; followers of five scopes read meanwhile, and bulk
copies taken in between go on from their own moment. The target is 0 wrong rows.

Run `python -m benchmarks.feed_stress [--seconds 60] [--seed 1]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from coachops.db import Database, migrate
from tests.export.conftest import make_organisation
from tests.feed import stress
from tests.support.postgres import PostgresServer, find_postgres


def main(seconds: float = 60, seed: int = 1) -> list[dict[str, object]]:
    """Wrong rows on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row("SQLite", f"sqlite:///{Path(folder) / 'feed.db'}", seconds, seed)]
    binaries = find_postgres()
    if binaries is None:
        return rows
    server = PostgresServer(binaries)
    server.start()
    try:
        rows.append(_row("PostgreSQL", server.create(), seconds, seed))
    finally:
        server.stop()
    return rows


def _row(name: str, url: str, seconds: float, seed: int) -> dict[str, object]:
    database = Database(url, limits=stress.LIMITS)
    try:
        migrate.upgrade(database)
        make_organisation(database, sessions=40)
        result = stress.run(database, seconds, seed)
    finally:
        database.close()
    return {
        "name": f"wrong rows in followers after {seconds:g} s of {stress.WRITERS} writers ({name})",
        "value": sum(result.wrong.values()),
        "unit": "rows",
        "peer": "",
        "note": f"target: 0; {result.committed} commits, {result.rolled_back} taken back, "
        f"{sum(result.refused.values())} refused {dict(result.refused)}, {result.moves} moves, "
        f"{result.pages} pages, {result.handoffs} bulk copies, {result.followers} followers "
        f"of {result.rows} rows, {result.scope_removals} removals by scope"
        + (f"; wrong: {result.wrong}" if result.wrong else ""),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for row in main(given.seconds, given.seed):
        print(json.dumps(row))
