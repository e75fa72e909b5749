"""Background work: codes COACH-JOB-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-JOB-001",
        Kind.NOT_FOUND,
        "There is no job '{ref}'.",
        "Run 'coachops job list' for the list.",
    ),
    ErrorSpec(
        "COACH-JOB-002",
        Kind.FAILED,
        "The background work '{name}' failed ({reason}).",
        "Look at the job's error; it can be started again.",
        who="admin",
        retryable=True,
    ),
)
