"""Background work that survives crashes: analysis with its draft, sending, reports, schedules.

Owns what runs when, the only importer of dbos. Invariants: arguments are ids and JSON, never words
of people; a job's id names its subject, so the same work is never queued twice; what a crash leaves
behind is found again by the sweeper; steps may run twice, their effects are made to happen once.
To add a kind of job: a workflow in `workflows/`, its id in `ids.py`, a method on `Jobs`.
"""

from coachops.jobs.facade import Jobs
from coachops.jobs.heartbeat import WorkerStatus, worker_status
from coachops.jobs.rows import JobRow

__all__ = ["JobRow", "Jobs", "WorkerStatus", "worker_status"]
