"""Whether background work moves: read from the tables alone, never through the queue itself.

So a check, an alert or a page sees a stuck queue, also where the engine that runs it cannot start.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from coachops.core import clock
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.jobs.heartbeat import WorkerStatus, worker_status
from coachops.jobs.store import SCHEMA, server_engine, store_file, translated

NOBODY = dt.timedelta(seconds=30)
"""Work that waits longer while no worker is alive is a problem."""
STUCK = dt.timedelta(minutes=15)
"""So long nothing of a queue was begun although something waits: it is stuck."""

_SINCE = dt.timedelta(days=1)

_WAITING = """
SELECT queue_name, COUNT(*), MIN(COALESCE(delay_until_epoch_ms, created_at))
FROM {table} WHERE status = 'ENQUEUED' GROUP BY queue_name"""
_BEGUN = """
SELECT queue_name, MAX(started_at_epoch_ms) FROM {table}
WHERE started_at_epoch_ms IS NOT NULL GROUP BY queue_name"""
_RUNNING = "SELECT executor_id, COUNT(*) FROM {table} WHERE status = 'PENDING' GROUP BY executor_id"
_FAILED = """
SELECT COUNT(*) FROM {table}
WHERE status IN ('ERROR', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') AND updated_at >= :since"""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """Background work at one moment.

    Attributes:
        waiting: jobs that could begin now.
        running: jobs that were begun and have not ended.
        failed: jobs that failed within a day.
        oldest_seconds: how long the oldest waiting job has waited; None where none waits.
        orphaned: running jobs whose worker gives no sign of life; others take them over.
        workers: which workers are alive.
        silent: workers that died without saying so, and whose place nobody has taken since.
        problems: what is wrong, in words; empty: nothing.
    """

    waiting: int
    running: int
    failed: int
    oldest_seconds: float | None
    orphaned: int
    workers: WorkerStatus
    silent: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether work moves."""
        return not self.problems


def queue_health(settings: Settings, database: Database) -> QueueHealth:
    """The state of background work.

    Raises:
        CoachError: COACH-JOB-003 where the queue cannot be read, COACH-JOB-006 where its file is
            damaged, COACH-DB-… where the database is away.
    """
    workers = worker_status(database)
    now = clock.now()
    waiting: dict[str, tuple[int, float]] = {}
    begun: dict[str, float] = {}
    running: dict[str, int] = {}
    failed = 0
    with translated(settings), _tables(settings) as read:
        if read is not None:
            waiting = {
                str(queue): (count, _age(now, oldest)) for queue, count, oldest in read(_WAITING)
            }
            begun = {str(queue): _age(now, newest) for queue, newest in read(_BEGUN)}
            running = {str(executor): count for executor, count in read(_RUNNING)}
            since = int((now - _SINCE).timestamp() * 1000)
            ((failed,),) = read(_FAILED, since=since)
    oldest = max((age for _, age in waiting.values()), default=None)
    total = sum(count for count, _ in waiting.values())
    orphaned = sum(count for name, count in running.items() if name not in workers.alive)
    return QueueHealth(
        waiting=total,
        running=sum(running.values()),
        failed=failed,
        oldest_seconds=oldest,
        orphaned=orphaned,
        workers=workers,
        silent=workers.silent,
        problems=tuple(_problems(waiting, begun, orphaned, workers)),
    )


def _problems(
    waiting: dict[str, tuple[int, float]],
    begun: dict[str, float],
    orphaned: int,
    workers: WorkerStatus,
) -> Iterator[str]:
    if not workers.running:
        late = [age for _, age in waiting.values() if age > NOBODY.total_seconds()]
        if late:
            count = sum(count for count, _ in waiting.values())
            yield f"{_jobs(count)} waiting for {_minutes(max(late))}, and no worker runs"
        if orphaned:
            yield f"{_jobs(orphaned)} begun by a worker that is gone, and no worker runs"
        return
    for queue, (count, age) in sorted(waiting.items()):
        limit = STUCK.total_seconds()
        if age > limit and begun.get(queue, age) > limit:
            yield f"{_jobs(count)} waiting for {_minutes(age)} in '{queue}', and none is begun"


def _jobs(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "less than a minute" if minutes < 1 else f"{minutes} min"


def _age(now: dt.datetime, unix_ms: Any) -> float:
    return max(0.0, now.timestamp() - int(unix_ms) / 1000)


@contextlib.contextmanager
def _tables(settings: Settings) -> Iterator[Any]:
    """A function that asks the store, or None where there is none yet."""
    path = store_file(settings)
    if path is not None:
        if not path.exists():
            yield None
            return
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened:
            known = opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'workflow_status'")
            table = "workflow_status"
            yield (
                (lambda text, **values: opened.execute(text.format(table=table), values).fetchall())
                if known.fetchone()
                else None
            )
        return
    engine = server_engine(settings, 1)
    try:
        with engine.connect() as connection:
            table = f"{SCHEMA}.workflow_status"
            known_there = connection.scalar(sa.text("SELECT to_regclass(:name)"), {"name": table})
            yield (
                (
                    lambda text, **values: connection.execute(
                        sa.text(text.format(table=table)), values
                    )
                )
                if known_there
                else None
            )
    finally:
        engine.dispose()
