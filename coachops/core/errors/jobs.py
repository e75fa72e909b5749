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
    ErrorSpec(
        "COACH-JOB-003",
        Kind.UNAVAILABLE,
        "The queue of background work cannot be reached ({reason}).",
        "Nothing is lost: the worker finds what waits by itself. Check the database and 'coachops doctor'.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-JOB-004",
        Kind.CONFLICT,
        "The job '{ref}' cannot be {action} while it is {state}.",
        "Run 'coachops job list' for its state.",
    ),
    ErrorSpec(
        "COACH-JOB-005",
        Kind.CONFLICT,
        "All {count} places for workers are taken.",
        "Stop a worker first.",
        who="admin",
    ),
)
