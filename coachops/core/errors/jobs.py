"""Background work: codes COACH-JOB-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-JOB-001",
        Kind.NOT_FOUND,
        "There is no job '{ref}'.",
        "Run 'coachops job list' for the list.",
        why="The id was mistyped, or the job's history was cleared after its time.",
    ),
    ErrorSpec(
        "COACH-JOB-002",
        Kind.FAILED,
        "The background work '{name}' failed ({reason}).",
        "Look at the job's error; it can be started again.",
        who="admin",
        retryable=True,
        why="The cause stands in brackets; what was finished before it is kept.",
    ),
    ErrorSpec(
        "COACH-JOB-003",
        Kind.UNAVAILABLE,
        "The queue of background work cannot be reached ({reason}).",
        "Nothing is lost: the worker finds what waits by itself. Run 'coachops doctor'; with SQLite, "
        "the file 'jobs.db' of the home folder may be moved away.",
        who="admin",
        retryable=True,
        why="The database of the jobs is away, or no program may write to it.",
    ),
    ErrorSpec(
        "COACH-JOB-004",
        Kind.CONFLICT,
        "The job '{ref}' cannot be {action} while it is {state}.",
        "Run 'coachops job list' for its state.",
        why="The job went on while you were looking at it.",
    ),
    ErrorSpec(
        "COACH-JOB-005",
        Kind.CONFLICT,
        "All {count} places for workers are taken.",
        "Stop a worker first.",
        who="admin",
        why="Each worker holds a place so that its work can be taken over when it dies.",
    ),
    ErrorSpec(
        "COACH-JOB-006",
        Kind.UNAVAILABLE,
        "The file of the queue of background work is damaged ({path}).",
        "Try again: the file is set aside under a name with '.corrupt-', a new one is begun, and the "
        "worker queues anew what the data say is due. Reports and exports that waited in it must be "
        "started again.",
        who="admin",
        retryable=True,
        why="The disk failed, or something other than coachops wrote into the file.",
    ),
)
