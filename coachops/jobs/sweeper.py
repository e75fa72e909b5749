"""The worker's round: finds work that nobody queued, and what dead processes left behind.

A surface commits a row and then queues its job; if it dies between the two, or the queue is away, the
row alone must be enough. So each round queues, under the same ids as everybody else, what the data
say is due. Queueing twice is harmless.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from coachops import audit
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Transcript
from coachops.jobs import heartbeat
from coachops.jobs.schedules import Schedule, load_schedules

if TYPE_CHECKING:
    from pathlib import Path

    from coachops.bootstrap import Services
    from coachops.jobs.engine import Executor
    from coachops.jobs.queue import JobQueue

ROUND = 2.0
"""Seconds between two rounds."""
GRACE = dt.timedelta(seconds=5)
"""How long a surface has to queue what it committed, before the sweeper does it."""
STUCK = dt.timedelta(minutes=15)
"""A transcript that is `analysing` for longer without a job belonged to a process that died."""
BATCH = 200
KEEP = dt.timedelta(days=90)
KEEP_REPORTS = dt.timedelta(days=400)
"""How long ended jobs are kept; a schedule's slot must outlive the schedule's longest interval."""

_log = logging.getLogger(__name__)


class Sweeper:
    """The thread that does the rounds of one worker.

    Parameters:
        on_lost_place: called when the server gave our place to others; the process must end.
        schedule_file: where the schedules stand; None for the project's own.
    """

    def __init__(
        self,
        services: Services,
        queue: JobQueue,
        executor: Executor,
        *,
        on_lost_place: Callable[[], None],
        schedule_file: Path | None = None,
    ) -> None:
        self._services = services
        self._queue = queue
        self._executor = executor
        self._on_lost_place = on_lost_place
        self._schedule_file = schedule_file
        self._schedules: list[Schedule] = []
        self._queued_slots: set[str] = set()
        self._due: dict[str, float] = {}
        self._one_round = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coachops-sweeper", daemon=True)

    def start(self) -> None:
        """Begin: the first sign of life is given before this returns."""
        if self._executor.place is None:
            raise RuntimeError("the executor is not running")
        self._name = self._executor.place.name
        heartbeat.beat(self._services.database, self._name, starting=True)
        try:
            self._schedules = load_schedules(self._services.settings, self._schedule_file)
        except CoachError as error:
            _log.error("schedules are off", extra={"code": error.code, "reason": error.message})
        self._thread.start()

    def stop(self) -> None:
        """End after the round in progress and say that this worker stopped."""
        self._stopping.set()
        self._thread.join()
        try:
            heartbeat.beat(self._services.database, self._name, stopped=True)
        except CoachError as error:
            _log.warning("the last sign of life failed", extra={"code": error.code})

    def round(self, *, everything: bool = False) -> None:
        """One round: what is due by its interval, or every part now."""
        with self._one_round:
            if everything:
                self._due.clear()
            self._round()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.round()
            self._stopping.wait(ROUND)

    def _round(self) -> None:
        parts: list[tuple[str, float, Callable[[], object]]] = [
            ("heartbeat", heartbeat.INTERVAL, self._beat),
            ("messages", ROUND, lambda: sweep_messages(self._services.database, self._queue)),
            ("transcripts", ROUND, lambda: sweep_transcripts(self._services.database, self._queue)),
            ("audit", ROUND, lambda: audit.seal(self._services.database)),
            ("recovery", 5.0, self._recover),
            ("schedules", 20.0, self._queue_due_reports),
            ("history", 3600.0, self._prune),
        ]
        for name, every, part in parts:
            now = clock.monotonic()
            if self._stopping.is_set() or now < self._due.get(name, 0.0):
                continue
            self._due[name] = now + every
            try:
                part()
            except CoachError as error:
                _log.warning("a round failed", extra={"part": name, "code": error.code})
            except Exception as error:  # the round must go on: what it missed, the next one finds
                _log.error(
                    "a round failed unexpectedly",
                    extra={"part": name, "error": type(error).__name__},
                )

    def _beat(self) -> None:
        place = self._executor.place
        if place is not None and not place.alive():
            _log.critical("another worker may take our work over: this one ends")
            self._on_lost_place()
            return
        heartbeat.beat(self._services.database, self._name)

    def _recover(self) -> None:
        for name in self._executor.recover_dead():
            _log.warning("took over the work of a dead worker", extra={"worker": name})

    def _queue_due_reports(self) -> None:
        since = heartbeat.first_start(self._services.database)
        if since is None:
            return
        for schedule in self._schedules:
            slot = schedule.last_due(clock.now())
            job = schedule.job(slot)
            if slot < since or str(job) in self._queued_slots:
                continue
            if not schedule.ran_since(self._services.settings, slot):
                self._queue.enqueue_as(job, schedule.name, schedule.parameters_json)
            self._queued_slots.add(str(job))

    def _prune(self) -> None:
        now = clock.now()
        self._queue.forget_ended(now - KEEP, ("pipeline", "send"))
        self._queue.forget_ended(now - KEEP_REPORTS, ("report",))


def sweep_messages(database: Database, queue: JobQueue) -> int:
    """Queue approved messages, and give up sendings whose process vanished; returns how many."""
    lost = messages.give_up_lost_sendings(database)
    for message_id in lost:
        _log.warning("a sending was lost", extra={"message_id": str(message_id)})
    waiting = messages.unsent_approved(database, GRACE)[:BATCH]
    for message_id, version in waiting:
        queue.enqueue_send(message_id, version)
    return len(lost) + len(waiting)


def sweep_transcripts(database: Database, queue: JobQueue) -> int:
    """Queue transcripts that wait for analysis and have no job; returns how many were queued."""
    now = clock.now()
    with database.read() as session:
        found = session.scalars(
            sa.select(Transcript.id)
            .where(
                sa.or_(
                    sa.and_(Transcript.state == "imported", Transcript.updated_at <= now - GRACE),
                    sa.and_(Transcript.state == "analysing", Transcript.updated_at <= now - STUCK),
                )
            )
            .order_by(Transcript.updated_at, Transcript.id)
            .limit(BATCH)
        ).all()
    if not found:
        return 0
    latest = queue.latest_pipelines(found)
    queued = 0
    for transcript_id in found:
        row = latest.get(transcript_id)
        # a cancelled job stays cancelled, a failed one waits for a person
        if row is None or row.state == "done":
            queue.enqueue_pipeline(transcript_id)
            queued += 1
    return queued
