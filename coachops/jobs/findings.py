"""What the data say is due, though nobody queued it: the parts of the sweeper's round.

Each is a function of the database and the queue that may run at any time, in any number of workers.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import TYPE_CHECKING

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
    from coachops.jobs.rows import JobRow

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
    for message_id, version in waiting:
        queue.enqueue_send(message_id, version, attempts.get(message_id, 0))
    return len(lost) + len(waiting)


def sweep_transcripts(database: Database, queue: JobQueue, settings: Settings) -> int:
    """Queue transcripts that wait for analysis and have no job; returns how many were queued.

    Among them are those that were being analysed by a process that is gone: no job of theirs is
    active, and no process analyses outside of the queue.
    """
    now = clock.now()
    with database.read() as session:
        found = {
            transcript_id: (state, at)
            for transcript_id, state, at in session.execute(
                sa.select(Transcript.id, Transcript.state, Transcript.updated_at)
                .where(
                    Transcript.state.in_(("imported", "analysing")),
                    Transcript.updated_at <= now - GRACE,
                )
                .order_by(Transcript.updated_at, Transcript.id)
                .limit(BATCH)
            )
        }
    if not found:
        return 0
    latest = queue.latest_pipelines(found)
    begun = [each for each, (state, _) in found.items() if state == "analysing"]
    left_alone = bool(begun) and anybody_analyses(settings)
    queued = 0
    for transcript_id, (state, at) in found.items():
        row = latest.get(transcript_id)
        if row is not None and (row.active or row.state == "cancelled"):
            continue  # a cancelled job stays cancelled
        if state == "analysing" and left_alone and at > now - STUCK:
            continue
        if row is None or row.state == "done":
            queue.enqueue_pipeline(transcript_id)
            queued += 1
        elif state == "analysing":
            _mark_failed(database, transcript_id, row)  # and it waits for a person
    return queued


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


def _mark_failed(database: Database, transcript_id: uuid.UUID, row: JobRow) -> None:
    """Show at the transcript that its job ended without it: workers died of it again and again."""

    def work(session: Session) -> None:
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == transcript_id, Transcript.state == "analysing")
            .values(state="failed", error_code=row.error_code)
            .execution_options(synchronize_session=False)
        )

    database.run(work)
