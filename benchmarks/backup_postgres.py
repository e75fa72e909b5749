"""Backups of PostgreSQL at about 100 MB: how long they take, how fast all is back, what is lost.

Both engines on one real cluster, while somebody writes, each against what people do first: `pg_dump`
into a file and `pg_restore` into an empty database (neither encrypted, nor compared, nor able to go
back to a moment). Run `python -m benchmarks backup_postgres`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import sqlalchemy as sa

from coachops.backup.postgres import programs
from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.models import Heartbeat
from tests.support.postgres_backup import (
    BackedUpCluster,
    EngineName,
    Installation,
    backed_up_cluster,
    installation,
)

SESSIONS, LENGTH = 3_000, 80
BEAT_SECONDS = 5.0
ENGINES: tuple[EngineName, ...] = ("pgbackrest", "basebackup")
HUNDRED_MB = 100_000_000


def main() -> list[dict[str, Any]]:
    """The rows: name, value, unit, peer, ratio (ours over peer; below 1 is better), note."""
    with backed_up_cluster() as cluster:
        rows: list[dict[str, Any]] = []
        for number, engine in enumerate(ENGINES):
            with installation(cluster, engine) as site:
                if number == 0:
                    _fill(site)
                rows += _measure(site)
        return rows


def _fill(site: Installation) -> None:
    tables = "coaches, clients, users CASCADE"
    site.execute(f"TRUNCATE {tables}")
    seed_organisation(
        site.database, coaches=20, clients=200, sessions=SESSIONS, utterances_per_session=LENGTH,
        seed=1,
    )  # fmt: skip


def _measure(site: Installation) -> Iterator[dict[str, Any]]:
    size = int(site.cluster.node.query("SELECT pg_database_size('coachops')"))
    per = HUNDRED_MB / size
    dump, load = _peer(site.cluster)
    with _beating(site) as beats:
        began = time.monotonic()
        row = site.backups.run()
        backup = time.monotonic() - began
        drill = site.backups.drill()
        beats.wait(3)  # heartbeats behind the backup, which only its log can bring back
        time.sleep(BEAT_SECONDS / 2)
        site.cluster.node.kill()
        lost_at = clock.now()
    if not drill.passed or drill.rto_seconds is None:
        raise SystemExit(f"the drill failed: {drill.reasons}")
    into = site.folder / "restored"
    site.without_database().restore(into)
    with site.started(into) as database, database.read() as session:
        newest = session.scalar(sa.select(sa.func.max(Heartbeat.at)))
    site.cluster.node.start()
    if newest is None:
        raise SystemExit("no heartbeat came back")
    shape = f"{size / 1e6:.0f} MB of database, {drill.rows} rows, all compared"
    name = site.engine_name
    yield _row(f"{name}: backup per 100 MB", backup * per, dump * per, "pg_dump", shape)
    yield _row(f"{name}: RTO per 100 MB", drill.rto_seconds * per, load * per, "pg_restore",
               "at most 60 s; restored, compared, replayed, checked, answering")  # fmt: skip
    yield {
        "name": f"{name}: RPO", "value": (lost_at - newest).total_seconds(), "unit": "s",
        "peer": "pg_dump: the whole interval", "ratio": None,
        "note": f"at most 60 s; server killed, restored; heartbeats every {BEAT_SECONDS:.0f} s here",
    }  # fmt: skip
    yield {
        "name": f"{name}: stored", "value": row.bytes / size, "unit": "bytes per byte",
        "peer": "", "ratio": None, "note": f"{row.kind}, encrypted",
    }  # fmt: skip


def _row(name: str, ours: float, peer: float, tool: str, note: str) -> dict[str, Any]:
    return {
        "name": name, "value": ours, "unit": "s", "peer": f"{tool} {peer:.1f} s",
        "ratio": ours / peer, "note": note,
    }  # fmt: skip


class _Beats:
    """Heartbeats as the worker writes them."""

    def __init__(self) -> None:
        self.ended, self.count, self._site_beat = Event(), 0, Event()

    def wait(self, count: int) -> None:
        """Until so many more were written."""
        wanted = self.count + count
        while self.count < wanted:
            self._site_beat.wait(BEAT_SECONDS)
            self._site_beat.clear()

    def beat(self, site: Installation) -> None:
        """Write them until the end."""
        while not self.ended.wait(BEAT_SECONDS):
            try:
                site.backups.beat()
            except CoachError:  # the server was killed
                return
            self.count += 1
            self._site_beat.set()


@contextmanager
def _beating(site: Installation) -> Iterator[_Beats]:
    beats = _Beats()
    thread = Thread(target=beats.beat, args=(site,))
    thread.start()
    try:
        yield beats
    finally:
        beats.ended.set()
        thread.join()


def _peer(cluster: BackedUpCluster) -> tuple[float, float]:
    """Seconds of a dump into a file, and of its restore into an empty database."""
    url = sa.make_url(cluster.url)
    common = ["-h", "127.0.0.1", "-p", str(url.port), "-U", str(url.username)]
    file = cluster.folder / "dump"
    cluster.node.query("DROP DATABASE IF EXISTS copy")
    cluster.node.query("CREATE DATABASE copy")
    dump = _seconds("pg_dump", *common, "-Fc", "-f", str(file), str(url.database))
    load = _seconds("pg_restore", *common, "-j", "2", "-d", "copy", str(file))
    cluster.node.query("DROP DATABASE copy")
    Path(file).unlink()
    return dump, load


def _seconds(name: str, *arguments: str) -> float:
    began = time.monotonic()
    subprocess.run([programs.find(name), *arguments], check=True)
    return time.monotonic() - began
