"""`Jobs`: what surfaces call. Queue from anywhere; run work in the worker, or here and now."""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from coachops.coaching import messages
from coachops.core import ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.export.issued import Issued, Owner
from coachops.jobs.engine import PARTS_QUEUE, QUEUE_OF, Executor
from coachops.jobs.exports import SUITE, Exports
from coachops.jobs.health import QueueHealth, queue_health
from coachops.jobs.ids import JobId, parse_job_id, report_id
from coachops.jobs.queue import JobQueue
from coachops.jobs.rows import JobRow
from coachops.jobs.sweeper import Sweeper

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.jobs.courier import Courier

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many jobs ended and how many there are."""


class Jobs:
    """Background work of one installation, as one process sees it.

    Parameters:
        settings: of this process.
        services: bound into the workflows that run here; also an attribute.
        schedule_file: where the schedules stand; None for the project's own.

    Attribute `queue` is the queue itself, `exports` what can be asked for and was.
    """

    def __init__(
        self, settings: Settings, services: Services, *, schedule_file: Path | None = None
    ) -> None:
        self._settings = settings
        self.services = services
        self._schedule_file = schedule_file
        self.queue = JobQueue(settings)
        self.exports = Exports(services, self.queue)
        self._executor: Executor | None = None
        self._sweeper: Sweeper | None = None
        self._courier: Courier | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, worker: bool) -> None:
        """Begin. A surface (`worker=False`) needs nothing running: it connects when it queues.

        Raises:
            CoachError: COACH-JOB-003, COACH-JOB-005.
        """
        if not worker or self._executor is not None:
            return
        from coachops.jobs.changes import FeedChanges  # noqa: PLC0415 with the exports
        from coachops.jobs.courier import Courier  # noqa: PLC0415 with httpx, in a worker only

        executor = Executor(self.services, on_lost_place=_end_process)
        executor.start()
        self._executor = executor
        try:
            courier = Courier(self.services, changes=FeedChanges(self.services.database))
            self._sweeper = Sweeper(
                self.services,
                self.queue,
                executor,
                on_lost_store=_end_process,
                schedule_file=self._schedule_file,
            )
            self._sweeper.start()
            self._courier = courier
            self._courier.start()
        except BaseException:
            self._sweeper = None
            self.stop()
            raise

    def stop(self) -> bool:
        """End; returns whether every step in progress came to its end (else it is recovered)."""
        ended = True
        if self._courier is not None:
            self._courier.stop()
            self._courier = None
        if self._sweeper is not None:
            self._sweeper.stop()
            self._sweeper = None
        if self._executor is not None:
            ended = self._executor.stop()
            self._executor = None
        self.queue.close()
        return ended

    # queueing

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> str:
        """Queue analysis and draft of a transcript; one that waits or runs is not doubled.

        Call it after the transcript was committed. An error loses nothing: the worker finds
        transcripts that nobody queued.

        Returns:
            the id of the job.

        Raises:
            CoachError: COACH-JOB-003 where the queue is away.
        """
        return self.queue.enqueue_pipeline(transcript_id, engine)

    def enqueue_send(self, message_id: uuid.UUID) -> str:
        """Queue the sending of the approved version of a message; returns the id of the job.

        Raises:
            CoachError: COACH-CCH-001; COACH-MSG-001 where it is not approved; COACH-JOB-003.
        """
        row = messages.get(self.services.database, SYSTEM, message_id)
        if row.state != "approved" or row.approved_version is None:
            raise CoachError("COACH-MSG-001", action="sent", state=row.state)
        return self.queue.enqueue_send(message_id, row.approved_version, row.attempts)

    def enqueue_report(self, name: str, parameters: Mapping[str, Any]) -> str:
        """Queue a run of a report; returns the id of the job.

        Raises:
            CoachError: COACH-REP-001 unknown report, COACH-REP-002 a parameter refused; COACH-JOB-003.
        """
        from coachops.reporting import find_report  # noqa: PLC0415 only for reports

        checked = find_report(name).check(parameters).model_dump(mode="json")
        parameters_json = json.dumps(checked, sort_keys=True)
        return self.queue.enqueue_as(report_id(name, ids.new_id().hex), name, parameters_json)

    def enqueue_export(self, actor: Actor, *, out: str = "", **wanted: Any) -> str:
        """Queue an export; returns the id of the job.

        Parameters:
            out: a new folder or `s3://bucket/prefix`; empty: the suite's own place, from which it is
                deleted after some days.
            wanted: as `export.issued.check_request`.

        Raises:
            CoachError: as `check_request`; COACH-JOB-003.
        """
        made, _ = self.exports.start(Owner.of(actor), out=out, **wanted)
        return self.exports.enqueue(made)

    def export_of(self, ref: str) -> Issued:
        """The export that a job makes.

        Raises:
            CoachError: COACH-JOB-001 where it is no export's job, COACH-EXP-040.
        """
        job = parse_job_id(ref)
        if job.kind != "export":
            raise CoachError("COACH-JOB-001", ref=ref)
        return self.exports.get(SUITE, job.subject)

    # looking and steering

    def list_jobs(
        self,
        *,
        state: str | None = None,
        kind: str | Sequence[str] | None = None,
        limit: int = 100,
    ) -> list[JobRow]:
        """Jobs, the newest first; see `JobQueue.list_jobs`."""
        return self.queue.list_jobs(state=state, kind=kind, limit=limit)

    def health(self) -> QueueHealth:
        """Whether work moves; see `queue_health`."""
        return queue_health(self._settings, self.services.database)

    def get(self, ref: str) -> JobRow:
        """One job; see `JobQueue.get`."""
        return self.queue.get(ref)

    def retry(self, actor: Actor, ref: str) -> str:
        """Start the work of a failed or cancelled job again; returns the id of the new job.

        For a message this approves it again, so only its coach or an admin may.

        Raises:
            CoachError: COACH-JOB-001; COACH-JOB-004 while it waits, runs or is done; COACH-IDN-003;
                for a message as `messages.retry`.
        """
        job = parse_job_id(ref)
        latest = self.queue.latest(job)
        if latest.state not in {"failed", "cancelled"}:
            raise CoachError("COACH-JOB-004", ref=latest.id, action="retried", state=latest.state)
        if job.kind == "send":
            return self._retry_send(actor, job)
        actor.require_role("admin", what="background work")
        if job.kind == "pipeline":
            return self.queue.enqueue_pipeline(job.subject_id)
        again = parse_job_id(latest.id).next()
        return self.queue.enqueue_as(again, *self.queue.arguments(latest.id))

    def cancel(self, actor: Actor, ref: str) -> JobRow:
        """Cancel a job that waits or runs. For a message this takes its approval back.

        Raises:
            CoachError: COACH-JOB-001; COACH-JOB-004 where it ended already; COACH-MSG-001 where the
                letter is on its way; COACH-IDN-003.
        """
        actor.require_role("admin", what="background work")
        job, row = parse_job_id(ref), self.queue.get(ref)
        if not row.active:
            raise CoachError("COACH-JOB-004", ref=ref, action="cancelled", state=row.state)
        if job.kind == "send":
            message = messages.get(self.services.database, actor, job.subject_id)
            if message.version == job.number and message.state in {"approved", "sending"}:
                messages.withdraw(self.services.database, actor, message.id, job.number)
        if job.kind == "export":
            self._cancel_export(actor, job)
        self.queue.cancel(ref)
        return self.queue.get(ref)

    def run_inline(
        self, job_ids: Sequence[str], *, progress: Progress | None = None
    ) -> list[JobRow]:
        """Run queued jobs in this process until all of them ended; the worker may help.

        Parameters:
            job_ids: what the `enqueue_…` calls returned.
            progress: told how many ended, at each change.

        Raises:
            CoachError: COACH-JOB-001 unknown id, COACH-JOB-003, COACH-JOB-005.
        """
        if not job_ids:
            return []
        own = self._executor is None
        listen = frozenset(QUEUE_OF[parse_job_id(ref).kind] for ref in job_ids) | {PARTS_QUEUE}
        executor = Executor(self.services, brief=True, listen=listen) if own else self._executor
        if own and executor is not None:
            executor.start()
        try:
            return self.wait_for(job_ids, progress)
        finally:
            if own and executor is not None:
                executor.stop()

    def wait_for(self, job_ids: Sequence[str], progress: Progress | None = None) -> list[JobRow]:
        """Wait until all of them ended, wherever they run; rows in the order asked for.

        Raises:
            CoachError: COACH-JOB-001 unknown id, COACH-JOB-003.
        """
        ended: dict[str, JobRow] = {}
        told = -1
        while True:
            waiting = [each for each in job_ids if each not in ended]
            rows = self.queue.get_many(waiting)
            ended |= {ref: row for ref, row in rows.items() if not row.active}
            if progress is not None and len(ended) != told:
                told = len(ended)
                progress(told, len(job_ids))
            if all(each in ended for each in job_ids):
                return [ended[each] for each in job_ids]
            time.sleep(0.05)

    def _cancel_export(self, actor: Actor, job: JobId) -> None:
        try:
            self.exports.registry.cancel(Owner.of(actor), job.subject)
        except CoachError as error:  # a scheduled one is written down when it begins
            if error.code != "COACH-EXP-040":
                raise

    def _retry_send(self, actor: Actor, job: JobId) -> str:
        database = self.services.database
        row = messages.get(database, actor, job.subject_id)
        if row.state == "failed":
            row = messages.retry(database, actor, row.id)
        return self.enqueue_send(row.id)


def _end_process() -> None:
    """Leave at once, so that nobody does our work beside us; the supervisor starts a new worker."""
    logging.shutdown()
    os._exit(70)
