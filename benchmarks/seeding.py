"""How fast an organisation is seeded into SQLite, against bare inserts of the same utterances."""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
import time
from pathlib import Path

SESSIONS, UTTERANCES = 10_000, 100


def main() -> list[dict[str, object]]:
    """Seconds for one million utterances with everything around them; the peer inserts rows only."""
    from coachops.coaching.seed import seed_organisation
    from coachops.db import Database, migrate

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.db"
        database = Database(f"sqlite:///{path}")
        migrate.upgrade(database)
        began = time.perf_counter()
        seed_organisation(
            database,
            coaches=40,
            clients=400,
            sessions=SESSIONS,
            utterances_per_session=UTTERANCES,
            seed=1,
            until=dt.date(2026, 11, 1),
        )
        seconds = time.perf_counter() - began
        database.close()
        peer = _peer(path, Path(folder) / "peer.db")
    return [
        {
            "name": "seed 1 million utterances (SQLite)",
            "value": seconds,
            "unit": "s",
            "peer": f"bare INSERT of the utterances {peer:.1f} s",
            "ratio": seconds / peer,
            "note": "target: under 60 s; includes files, analyses, messages",
        }
    ]


def _peer(source: Path, target: Path) -> float:
    """Seconds of `executemany` for the same rows into a table with the same two indexes."""
    with sqlite3.connect(source) as connection:
        rows = connection.execute(
            "SELECT id, transcript_id, position, speaker, text FROM utterances"
        ).fetchall()
    with sqlite3.connect(target, isolation_level=None) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE u (id TEXT PRIMARY KEY, t TEXT, p INT, s TEXT, x TEXT, UNIQUE (t, p))"
        )
        began = time.perf_counter()
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO u VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        return time.perf_counter() - began
