"""Signs of life of workers, in the database that every process reads.

A row for each place (see `places`), so the figure also holds with several machines.
"""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.db import Database
from coachops.db.models import WorkerHeartbeat

INTERVAL = 5.0
"""Seconds between two signs of life."""
ALIVE_FOR = dt.timedelta(seconds=30)
"""A worker silent for longer counts as gone."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Whether background work is being done.

    Attributes:
        alive: names of workers that gave a sign of life lately.
        last_seen_at: of any worker; None where none ever ran.
        silent: workers that fell silent without saying that they stop, with their machines.
    """

    alive: tuple[str, ...]
    last_seen_at: dt.datetime | None
    silent: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether at least one worker is alive."""
        return bool(self.alive)


def worker_status(database: Database) -> WorkerStatus:
    """Which workers are alive, for readiness checks and `coachops status`."""
    with database.read() as session:
        rows = session.scalars(sa.select(WorkerHeartbeat).order_by(WorkerHeartbeat.name)).all()
    since = clock.now() - ALIVE_FOR
    return WorkerStatus(
        alive=tuple(row.name for row in rows if not row.stopped and row.seen_at >= since),
        last_seen_at=max((row.seen_at for row in rows), default=None),
        silent=tuple(_named(row) for row in rows if not row.stopped and row.seen_at < since),
    )


def _named(row: WorkerHeartbeat) -> str:
    return f"{row.name} on {row.host}" if row.host else row.name


def beat(database: Database, name: str, *, starting: bool = False, stopped: bool = False) -> None:
    """Record a sign of life of the worker in that place."""

    def work(session: Session) -> None:
        now = clock.now()
        row = session.get(WorkerHeartbeat, name)
        if row is None:
            row = WorkerHeartbeat(name=name, first_started_at=now, started_at=now, seen_at=now)
            session.add(row)
        if starting:
            row.started_at = now
        row.seen_at, row.stopped, row.host = now, stopped, socket.gethostname()[:255]

    database.run(work)


def first_start(database: Database) -> dt.datetime | None:
    """When a worker first ran in this installation; nothing is due from before."""
    with database.read() as session:
        return session.scalar(sa.select(sa.func.min(WorkerHeartbeat.first_started_at)))
