"""The queue as every process may use it: put in, look up, cancel; nothing runs here."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.jobs.engine import PARTS_QUEUE, QUEUE_OF
from coachops.jobs.ids import JobId, parse_job_id, pipeline_id, send_id
from coachops.jobs.rows import ACTIVE, STATES, JobRow, row_of
from coachops.jobs.store import APPLICATION, StoreClient

if TYPE_CHECKING:
    from dbos import DBOSClient

_PREFIXES_AT_ONCE = 100
_FORGOTTEN_AT_ONCE = 1000
_BATCHES_AT_ONCE = 5


class JobQueue:
    """The queue of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._store = StoreClient(settings)

    def close(self) -> None:
        """Close its connections."""
        self._store.close()

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> str:
        """Queue the analysis of a transcript; one that waits or runs is not doubled.

        Returns:
            the id of the job.

        Raises:
            CoachError: COACH-JOB-003 where the queue is away.
        """
        latest = self.latest_pipelines([transcript_id]).get(transcript_id)
        if latest is not None and latest.due_at is not None:
            self.cancel(latest.id)  # it waits for the AI service; this one asks at once
        elif latest is not None and latest.active:
            return latest.id
        job = parse_job_id(latest.id).next() if latest else pipeline_id(transcript_id, 1)
        return self.enqueue_as(job, str(transcript_id), engine)

    def enqueue_send(self, message_id: uuid.UUID, version: int, attempt: int = 0) -> str:
        """Queue the sending of an approved version; there is one job for each version, ever.

        Parameters:
            attempt: how often the mail server has put this version off; each has its job.
        """
        return self.enqueue_as(send_id(message_id, version, attempt), str(message_id), version)

    def enqueue_as(
        self, job: JobId, *arguments: str | int, delay_seconds: float | None = None
    ) -> str:
        """Queue a job under its id; returns the id. Where it exists already, nothing happens.

        Parameters:
            delay_seconds: it waits so long before it may begin.
        """

        self._enqueue(job.kind, QUEUE_OF[job.kind], str(job), arguments, delay_seconds)
        return str(job)

    def enqueue_part(self, job: JobId, export_id: str, generation: int, number: int) -> str:
        """Queue a part of an export's plan for any worker; a second time nothing happens.

        Returns:
            the id of its job.
        """
        ref = f"export_part/{job.subject}/{job.number}/{generation}/{number}"
        self._enqueue("export_part", PARTS_QUEUE, ref, (export_id, generation, number), None)
        return ref

    def ended(self, refs: Sequence[str]) -> frozenset[str]:
        """Which of these jobs neither wait nor run any more.

        Raises:
            CoachError: COACH-JOB-003.
        """
        found: set[str] = set()
        for start in range(0, len(refs), _PREFIXES_AT_ONCE):
            rows = self._list(workflow_ids=list(refs[start : start + _PREFIXES_AT_ONCE]))
            found |= {row.id for row in rows if not row.active}
        return frozenset(found)

    def _enqueue(
        self,
        name: str,
        queue: str,
        ref: str,
        arguments: Sequence[str | int],
        delay_seconds: float | None,
    ) -> None:
        def work(client: DBOSClient) -> None:
            from dbos import EnqueueOptions, WorkflowSerializationFormat  # noqa: PLC0415 a second

            options: EnqueueOptions = {
                "workflow_name": name,
                "queue_name": queue,
                "workflow_id": ref,
                "serialization_type": WorkflowSerializationFormat.PORTABLE,
                "application_name": APPLICATION,
            }
            if delay_seconds is not None:
                options["delay_seconds"] = delay_seconds
            client.enqueue(options, *arguments)

        self._store.call(work)

    def list_jobs(
        self,
        *,
        state: str | None = None,
        kind: str | Sequence[str] | None = None,
        limit: int = 100,
    ) -> list[JobRow]:
        """Jobs, the newest first.

        Parameters:
            kind: one or several; None: all.

        Raises:
            CoachError: COACH-SYS-002 for an unknown state or kind, COACH-JOB-003.
        """
        if state is not None and state not in STATES.values():
            known = ", ".join(dict.fromkeys(STATES.values()))
            raise CoachError("COACH-SYS-002", reason=f"The state must be one of {known}.")
        kinds = [kind] if isinstance(kind, str) else list(kind or QUEUE_OF)
        if not set(kinds) <= QUEUE_OF.keys():
            raise CoachError(
                "COACH-SYS-002", reason=f"The kind must be one of {', '.join(QUEUE_OF)}."
            )
        engine_states = [name for name, ours in STATES.items() if state in {None, ours}]
        return self._list(status=engine_states, name=kinds, limit=limit, sort_desc=True)

    def list_active(self, kind: str) -> list[JobRow]:
        """Jobs of a kind that wait or run.

        Raises:
            CoachError: COACH-JOB-003.
        """
        states = [name for name, ours in STATES.items() if ours in ACTIVE]
        return self._list(status=states, name=kind, limit=1000)

    def get(self, ref: str) -> JobRow:
        """One job.

        Raises:
            CoachError: COACH-JOB-001, COACH-JOB-003.
        """
        return self.get_many([str(parse_job_id(ref))])[ref]

    def get_many(self, ids: Sequence[str]) -> dict[str, JobRow]:
        """Jobs by id.

        Raises:
            CoachError: COACH-JOB-001 names the first that does not exist.
        """
        found: dict[str, JobRow] = {}
        for start in range(0, len(ids), _PREFIXES_AT_ONCE):
            rows = self._list(workflow_ids=list(ids[start : start + _PREFIXES_AT_ONCE]))
            found |= {row.id: row for row in rows}
        for each in ids:
            if each not in found:
                raise CoachError("COACH-JOB-001", ref=each)
        return found

    def latest_pipelines(self, transcript_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobRow]:
        """The newest run of each transcript's pipeline, where there is one."""
        return {
            uuid.UUID(job.subject): row
            for job, row in self._latest(pipeline_id(each, 1).prefix for each in transcript_ids)
        }

    def latest(self, job: JobId) -> JobRow:
        """The newest run of the same work.

        Raises:
            CoachError: COACH-JOB-001.
        """
        for _, row in self._latest([job.prefix]):
            return row
        raise CoachError("COACH-JOB-001", ref=job)

    def arguments(self, ref: str) -> tuple[Any, ...]:
        """What a job was queued with.

        Raises:
            CoachError: COACH-JOB-001.
        """
        found = self._store.call(
            lambda client: client.list_workflows(workflow_ids=[ref], load_output=False)
        )
        if not found or found[0].input is None:
            raise CoachError("COACH-JOB-001", ref=ref)
        return tuple(found[0].input["args"])

    def cancel(self, ref: str) -> None:
        """Cancel a job that waits or runs; a step in progress comes to its end."""
        self._store.call(lambda client: client.cancel_workflow(ref))

    def forget_ended(self, before: dt.datetime, kinds: Sequence[str]) -> bool:
        """Delete records of jobs that ended before an instant; whether that was all of them.

        In batches, and no more than some at once: who waits for it has other things to do.
        """
        for _ in range(_BATCHES_AT_ONCE):
            rows = self._list(
                completed_before=before.isoformat(), name=list(kinds), limit=_FORGOTTEN_AT_ONCE,
                status=["SUCCESS", "ERROR", "CANCELLED"],
            )  # fmt: skip
            ids = [row.id for row in rows]
            if ids:
                self._store.call(functools.partial(_delete, ids))
            if len(ids) < _FORGOTTEN_AT_ONCE:
                return True
        return False

    def _latest(self, prefixes: Iterable[str]) -> list[tuple[JobId, JobRow]]:
        wanted = list(prefixes)
        newest: dict[str, tuple[JobId, JobRow]] = {}
        for start in range(0, len(wanted), _PREFIXES_AT_ONCE):
            part = wanted[start : start + _PREFIXES_AT_ONCE]
            for row in self._list(workflow_id_prefix=part):
                job = parse_job_id(row.id)
                known = newest.get(job.prefix)
                if known is None or known[0].order < job.order:
                    newest[job.prefix] = (job, row)
        return list(newest.values())

    def _list(self, **filters: Any) -> list[JobRow]:
        found = self._store.call(
            lambda client: client.list_workflows(
                load_input=False, load_output=True, application_name=APPLICATION, **filters
            )
        )
        return [row_of(each) for each in found]


def _delete(ids: list[str], client: DBOSClient) -> None:
    client.delete_workflows(ids)
