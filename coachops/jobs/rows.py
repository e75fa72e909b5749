"""Jobs as lists show them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from coachops.core import clock

STATES = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
"""State of the engine -> state that people read."""

ACTIVE = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job.

    Attributes:
        id: names the kind and what it works on.
        state: waiting, running, done, failed, cancelled.
        error_code: of a failed job; a code of the catalogue.
        result: what the workflow answered; ids and codes.
        attempts: how often it was begun (more than once after a crash).
        worker: who ran it last.
        due_at: of a waiting job: it was put off and does not begin before.
    """

    id: str
    kind: str
    state: str
    created_at: dt.datetime
    updated_at: dt.datetime
    error_code: str | None
    error: str | None
    result: dict[str, Any] | None
    attempts: int
    worker: str | None
    due_at: dt.datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE


def row_of(status: Any) -> JobRow:
    """A workflow status of the engine as a row."""
    state = STATES[status.status]
    code = message = None
    if state == "failed":
        details = getattr(status.error, "data", None)
        raised = getattr(status.error, "code", None)
        # the code behind a failed job stands in its details; others are raised as they are
        inner = details.get("reason") if isinstance(details, dict) else None
        found = inner if isinstance(inner, str) and inner.startswith("COACH-") else raised
        code = str(found) if found else "COACH-JOB-002"
        message = str(status.error) if raised else "The worker stopped again and again during it."
    return JobRow(
        id=status.workflow_id,
        kind=status.name,
        state=state,
        created_at=_instant(status.created_at),
        updated_at=_instant(status.updated_at),
        error_code=code,
        error=message,
        result=status.output if isinstance(status.output, dict) else None,
        attempts=status.recovery_attempts or 0,
        worker=status.executor_id,
        due_at=_instant(status.delay_until_epoch_ms) if status.status == "DELAYED" else None,
    )


def _instant(unix_ms: int | None) -> dt.datetime:
    return dt.datetime.fromtimestamp((unix_ms or 0) / 1000, clock.UTC)
