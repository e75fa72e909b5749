"""The worker's round: finds work that nobody queued, and what dead processes left behind.

A surface commits a row and then queues its job; if it dies between the two, or the queue is away, the
row alone must be enough. So each round queues, under the same ids as everybody else, what the data
say is due (see `findings`). Queueing twice is harmless. A part that fails stops no other one.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from coachops import audit, webhooks
from coachops.ai import replies
from coachops.coaching import quarantine
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import change_feed, operations
from coachops.export import DATASETS
from coachops.jobs import findings, heartbeat, leaving
from coachops.jobs.exports import Exports
from coachops.jobs.schedules import Schedule, load_schedules
from coachops.jobs.store import file_identity

if TYPE_CHECKING:
    from pathlib import Path

    from coachops.bootstrap import Services
    from coachops.jobs.engine import Executor
    from coachops.jobs.ids import JobId
    from coachops.jobs.queue import JobQueue

ROUND = 2.0
"""Seconds between two rounds."""
KEEP = {
    "pipeline": dt.timedelta(days=90),
    "send": dt.timedelta(days=90),
    "export": dt.timedelta(days=90),
    "export_part": dt.timedelta(days=7),
    "backup": dt.timedelta(days=14),
    "drill": dt.timedelta(days=90),
    "integrity": dt.timedelta(days=90),
    "retention": dt.timedelta(days=90),
    "report": dt.timedelta(days=400),
}
"""How long ended jobs are kept; a schedule's slot must outlive the schedule's longest interval."""

_log = logging.getLogger(__name__)


class Sweeper:
    """The thread that does the rounds of one worker.

    Parameters:
        on_lost_store: called when the queue's file was lost or damaged; the process must begin anew.
        schedule_file: where the schedules stand; None for the project's own.
    """

    def __init__(
        self,
        services: Services,
        queue: JobQueue,
        executor: Executor,
        *,
        on_lost_store: Callable[[], object],
        schedule_file: Path | None = None,
    ) -> None:
        self._services = services
        self._queue = queue
        self._executor = executor
        self._on_lost_store = on_lost_store
        self._schedule_file = schedule_file
        self._exports = Exports(services, queue)
        self._schedules: list[Schedule] = []
        self._queued_slots: dict[Schedule, JobId] = {}
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coachops-sweeper", daemon=True)

    def start(self) -> None:
        """Begin: the first sign of life is given before this returns."""
        self.begin()
        self._thread.start()

    def begin(self) -> None:
        """What comes before the first round."""
        if self._executor.place is None:
            raise RuntimeError("the executor is not running")
        self._name = self._executor.place.name
        self._store = file_identity(self._services.settings)
        heartbeat.beat(self._services.database, self._name, starting=True)
        self._schedules = load_schedules(self._services.settings, self._schedule_file)

    def stop(self) -> None:
        """End after the round in progress and say that this worker stopped."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            heartbeat.beat(self._services.database, self._name, stopped=True)
        except CoachError as error:
            _log.warning("the last sign of life failed", extra={"code": error.code})

    def round(self) -> None:
        """One round: every part whose interval has passed."""
        database, queue, settings = (
            self._services.database, self._queue, self._services.settings,
        )  # fmt: skip
        parts: list[tuple[str, float, Callable[[], object]]] = [
            ("store", ROUND, self._look_at_store),
            ("heartbeat", heartbeat.INTERVAL, lambda: heartbeat.beat(database, self._name)),
            ("feed", ROUND, lambda: change_feed.sequence(database)),
            ("messages", ROUND, lambda: findings.sweep_messages(database, queue)),
            ("transcripts", ROUND, lambda: findings.sweep_transcripts(database, queue, settings)),
            ("recovery", 5.0, self._recover),
            ("degraded", 30.0, lambda: findings.sweep_degraded(self._services, queue)),
            ("exports", 5.0, lambda: self._exports.sweep(clock.now() - findings.GRACE)),
            ("old exports", 60.0, self._exports.delete_old),
            ("half exports", 3600.0, self._exports.discard_left),
            ("schedules", 20.0, self._queue_due),
            ("beat", 30.0, self._beat_in_data),
            ("audit", 60.0, lambda: audit.seal(database)),
            ("leaving", 60.0, lambda: leaving.settle(database)),
            ("history", 3600.0, self._prune),
            ("job history", 3600.0, self._forget_jobs),
            ("feed history", 86_400.0, self._forget_changes),
        ]
        for name, every, part in parts:
            now = clock.monotonic()
            if self._stopping.is_set() or now < self._due.get(name, 0.0):
                continue
            self._due[name] = now + every
            self._guarded(name, part)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.round()
            self._stopping.wait(ROUND)

    def _guarded(self, name: str, part: Callable[[], object]) -> None:
        try:
            part()
        except CoachError as error:
            _log.warning("a round failed", extra={"part": name, "code": error.code})
            if error.code == "COACH-JOB-006":
                self._on_lost_store()
        except Exception as error:  # the round must go on: what it missed, the next one finds
            _log.error(
                "a round failed unexpectedly", extra={"part": name, "error": type(error).__name__}
            )

    def _look_at_store(self) -> None:
        if file_identity(self._services.settings) != self._store:
            _log.critical("the queue's file was moved or deleted: this worker begins anew")
            self._on_lost_store()

    def _beat_in_data(self) -> None:
        """What the newest archived one tells is how much a disaster would lose; see `backup`."""
        if not self._services.database.is_sqlite:  # there, each backup writes its own
            self._services.backups.beat()

    def _recover(self) -> None:
        for name in self._executor.recover_dead():
            _log.warning("took over the work of a dead worker", extra={"worker": name})

    def _queue_due(self) -> None:
        since = heartbeat.first_start(self._services.database)
        if since is None:
            return
        for schedule in self._schedules:
            part = functools.partial(self._queue_slot, schedule, since)
            self._guarded(f"schedule {schedule.name}", part)

    def _queue_slot(self, schedule: Schedule, since: dt.datetime) -> None:
        slot = schedule.last_due(clock.now())
        job = schedule.job(slot)
        if slot < since or self._queued_slots.get(schedule) == job:
            return
        if schedule.kind != "report" and self._queue.list_active(schedule.kind):
            return  # the one before is not done: when it is, this one is still due
        if not schedule.ran_since(self._services.settings, slot):
            self._queue.enqueue_as(job, *schedule.arguments(job))
        self._queued_slots[schedule] = job

    def _forget_changes(self) -> None:
        database = self._services.database
        change_feed.note_versions(database, {each.name: each.version for each in DATASETS.values()})
        keep = dt.timedelta(days=self._services.settings.feed_keep_days)
        removed = change_feed.forget(database, keep)
        _log.info("the change feed was compacted", extra={"removed": removed})

    def _forget_jobs(self) -> None:
        """Some of them; a big export leaves many, then the next rounds go on."""
        now = clock.now()
        all_gone = [self._queue.forget_ended(now - keep, (kind,)) for kind, keep in KEEP.items()]
        if not all(all_gone):
            self._due["job history"] = clock.monotonic()

    def _prune(self) -> None:
        now = clock.now()
        operations.forget(self._services.database)
        replies.forget_old(self._services.database)
        quarantine.expire(self._services.database, self._services.settings.quarantine_days)
        keep = dt.timedelta(days=self._services.settings.webhook_days)
        webhooks.forget(self._services.database, now - keep)
