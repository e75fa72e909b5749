"""What the data say is due, though nobody queued it: the parts of the sweeper's round.

Each is a function of the database and the queue that may run at any time, in any number of workers.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching import messages
from coachops.core import clock
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.models import Message, Transcript
from coachops.jobs.inline import anybody_analyses

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.jobs.queue import JobQueue

GRACE = dt.timedelta(seconds=5)
"""How long a surface has to queue what it committed, before the sweeper does it."""
STUCK = dt.timedelta(minutes=15)
"""Longer than any analysis: a transcript that is `analysing` since then has been given up, even where
a process that analyses outside of the queue is alive."""
BATCH = 200

_log = logging.getLogger(__name__)


def sweep_messages(database: Database, queue: JobQueue) -> int:
    """Queue approved messages, and give up sendings whose process vanished; returns how many."""
    lost = messages.give_up_lost_sendings(database)
    for message_id in lost:
        _log.warning("a sending was lost", extra={"message_id": str(message_id)})
    waiting = messages.unsent_approved(database, GRACE)[:BATCH]
    attempts = _attempts(database, [message_id for message_id, _ in waiting])
    queued = {
        queue.enqueue_send(message_id, version, attempts.get(message_id, 0)): (message_id, version)
        for message_id, version in waiting
    }
    for job, row in queue.get_many(list(queued)).items():
        if not row.active:  # it failed before it could claim the message: the database was away
            message_id, version = queued[job]
            messages.try_again_later(database, message_id, version, attempts.get(message_id, 0))
    return len(lost) + len(waiting)


def sweep_transcripts(database: Database, queue: JobQueue, settings: Settings) -> int:
    """Queue transcripts that wait for analysis and have no job; returns how many were queued."""
    give_back_abandoned(database, queue, settings)
    now = clock.now()
    with database.read() as session:
        query = (
            sa.select(Transcript.id, Transcript.updated_at)
            .where(
                Transcript.state == "imported",
                sa.or_(
                    Transcript.updated_at <= now - GRACE, Transcript.updated_at > now + clock.AHEAD
                ),
            )
            .order_by(Transcript.updated_at, Transcript.id)
            .limit(BATCH)
        )
        found = {row.id: row.updated_at for row in session.execute(query)}
    latest = queue.latest_pipelines(found) if found else {}
    queued = 0
    for transcript_id, at in found.items():
        row = latest.get(transcript_id)
        if row is not None and row.state == "failed" and row.updated_at >= at:
            # its job could not write down that it failed: a person sees it now, and can retry
            _change(
                database, transcript_id, at,
                {"state": "failed", "error_code": row.error_code}, before="imported",
            )  # fmt: skip
        elif row is None or row.state in {"done", "failed"}:  # a cancelled job stays cancelled
            queue.enqueue_pipeline(transcript_id)
            queued += 1
    return queued


def give_back_abandoned(database: Database, queue: JobQueue, settings: Settings) -> int:
    """Let transcripts wait again whose analysis was begun by a process that is gone; how many.

    No job of theirs is active, and no process analyses outside of the queue. Where the last job
    ended without them, because workers died of it again and again, the transcript shows its failure.
    """
    now = clock.now()
    with database.read() as session:
        query = (
            sa.select(Transcript.id, Transcript.updated_at)
            .where(Transcript.state == "analysing")
            .order_by(Transcript.updated_at, Transcript.id)
            .limit(BATCH)
        )
        found = {row.id: row.updated_at for row in session.execute(query)}
    if not found:
        return 0
    # first the jobs, then the lock: a job that ends in between has changed the state by then
    latest = queue.latest_pipelines(found)
    in_use = anybody_analyses(settings)
    given_back = 0
    for transcript_id, at in found.items():
        row = latest.get(transcript_id)
        if row is not None and row.active:
            continue
        # the step of a cancelled job comes to its end somewhere
        lately = now - STUCK < at <= now + clock.AHEAD
        if (in_use or (row is not None and row.state == "cancelled")) and lately:
            continue
        values: dict[str, Any] = {"state": "imported"}
        if row is not None and row.state == "failed":
            values = {"state": "failed", "error_code": row.error_code}
        given_back += _change(database, transcript_id, at, values)
    return given_back


def sweep_degraded(services: Services, queue: JobQueue) -> int:
    """Queue transcripts again for which the local engine stood in, now that the service is back."""
    from coachops.coaching.analysis import degraded_due  # noqa: PLC0415 with the openai SDK

    if not services.settings.has_ai_key:
        return 0
    due = degraded_due(services.database, BATCH)
    latest = queue.latest_pipelines(due)
    queued = 0
    for transcript_id in due:
        row = latest.get(transcript_id)
        if row is not None and (row.active or row.state == "cancelled"):
            continue
        queue.enqueue_pipeline(transcript_id)
        queued += 1
    return queued


def _attempts(database: Database, message_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    if not message_ids:
        return {}
    with database.read() as session:
        rows = session.execute(
            sa.select(Message.id, Message.attempts).where(Message.id.in_(message_ids))
        )
        return {message_id: attempts for message_id, attempts in rows}  # noqa: C416 rows are no pairs


def _change(
    database: Database,
    transcript_id: uuid.UUID,
    seen_at: dt.datetime,
    values: dict[str, Any],
    *,
    before: str = "analysing",
) -> int:
    """Change a transcript that is as it was seen."""

    def work(session: Session) -> int:
        done: sa.CursorResult[Any] = session.execute(  # type: ignore[assignment] # an UPDATE's
            sa.update(Transcript)
            .where(
                Transcript.id == transcript_id,
                Transcript.state == before,
                Transcript.updated_at == seen_at,
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return done.rowcount

    return database.run(work)
