"""From a transcript to a draft: analyse, then write the follow-up.

A transcript that waits for the coach (roles) or the client (consent) ends the job without a failure:
when the reason is gone, the next run begins. Where the AI service asks to come back later, this run
ends too, and the next one waits in the queue until then: nobody's place is held meanwhile.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from dbos import DBOS, WorkflowSerializationFormat
from sqlalchemy.orm import Session

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db.models import Transcript
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded
from coachops.jobs.workflows.later import put_off


@DBOS.workflow(
    name="pipeline",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def pipeline(transcript_id: str, engine: str) -> Outcome:
    """Analyse a transcript with `engine` and draft its follow-up."""
    outcome = analyse_step(transcript_id, engine, DBOS.workflow_id)
    if "retry_after" in outcome:
        # recorded by releases that know it, so older runs in progress never come here
        later = reschedule_step(
            transcript_id, engine, DBOS.workflow_id or "", outcome["retry_after"]
        )
        if "error" not in later:
            return outcome | later
    if "error" not in outcome and outcome["waiting"] is None:
        outcome = outcome | draft_step(transcript_id)
    if "error" in outcome:
        fail_step(transcript_id, outcome["error"])
        raise CoachError("COACH-JOB-002", name="pipeline", reason=outcome["error"])
    return outcome


@DBOS.step(name="analyse")
@guarded
def analyse_step(transcript_id: str, engine: str, job: str | None) -> Outcome:
    """Analyse; a second time for this job, or for the same input, it is the analysis that is there."""
    from coachops.coaching.analysis import analyse  # noqa: PLC0415 with the openai SDK

    services = current()
    done = analyse(
        services.database,
        services.gateway,
        SYSTEM,
        uuid.UUID(transcript_id),
        engine if engine in {"openai", "local"} else "auto",  # type: ignore[arg-type] # narrowed
        job=job,
    )
    return {
        "analysis_id": str(done.analysis_id) if done.analysis_id else None,
        "engine": done.engine,
        "status": done.status,
        "waiting": done.waiting,
    }


@DBOS.step(name="reschedule")
@guarded
def reschedule_step(transcript_id: str, engine: str, job: str, seconds: float) -> Outcome:
    """Queue the next run for when the service takes requests again; the transcript waits till then."""
    later = put_off(job, seconds, transcript_id, engine)

    def work(session: Session) -> None:
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == uuid.UUID(transcript_id), Transcript.state == "failed")
            .values(state="imported")
            .execution_options(synchronize_session=False)
        )

    current().database.run(work)
    return {"rescheduled": later}


@DBOS.step(name="draft")
@guarded
def draft_step(transcript_id: str) -> Outcome:
    """Draft the follow-up, or bring an untouched draft up to date."""
    from coachops.coaching import messages  # noqa: PLC0415 with Jinja2

    row = messages.draft(current().database, SYSTEM, uuid.UUID(transcript_id))
    return {"message_id": str(row.id), "stale": row.stale}


@DBOS.step(name="fail")
@guarded
def fail_step(transcript_id: str, code: str) -> Outcome:
    """Show the failure at the transcript."""

    def work(session: Session) -> None:
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == uuid.UUID(transcript_id))
            .values(state="failed", error_code=code)
            .execution_options(synchronize_session=False)
        )

    current().database.run(work)
    return {"marked": code}
