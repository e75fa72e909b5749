"""Sending one approved version of a follow-up, at most once.

The engine repeats a step that a crash interrupted. This one is not repeated in effect: it finds the
claim of its first run and marks the message uncertain.
"""

from __future__ import annotations

import datetime as dt
import uuid

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded


@DBOS.workflow(
    name="send",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def send(message_id: str, version: int) -> Outcome:
    """Send the message if this version is the approved one."""
    outcome = send_step(message_id, version)
    failed = outcome.get("error")
    if failed is None and outcome["state"] in {"failed", "uncertain"}:
        failed = outcome["code"]
    if failed is not None:
        raise CoachError("COACH-JOB-002", name="send", reason=failed)
    return outcome


@DBOS.step(name="send_once")
@guarded
def send_step(message_id: str, version: int) -> Outcome:
    """Claim, hand over, mark."""
    from coachops.coaching import messages  # noqa: PLC0415 with Jinja2

    services = current()
    identifier = uuid.UUID(message_id)
    letterhead = messages.letterhead_for(services.settings, services.secret("feedback"))
    messages.claim_and_send(
        services.database,
        services.mailer,
        identifier,
        letterhead,
        version=version,
        abandoned_after=dt.timedelta(),  # one job for one version: an open claim is of a dead run
    )
    row = messages.get(services.database, SYSTEM, identifier)
    return {"state": row.state, "version": row.version, "code": row.error_code}
