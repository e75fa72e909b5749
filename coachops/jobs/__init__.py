"""Background work that survives crashes: analyses with drafts, sendings, reports, exports, backups.

Owns what runs when, the only importer of dbos. Invariants: arguments are ids and JSON, never words
of people; a job's id names its subject, so the same work is never queued twice; what a crash leaves
behind is found again by the sweeper; steps may run twice, their effects are made to happen once.
To add a kind of job: a workflow in `workflows/`, its id in `ids.py`, a method on `Jobs`.
"""

from coachops.jobs.facade import Jobs
from coachops.jobs.health import QueueHealth, queue_health
from coachops.jobs.heartbeat import WorkerStatus, worker_status
from coachops.jobs.rows import JobRow

__all__ = ["JobRow", "Jobs", "QueueHealth", "WorkerStatus", "queue_health", "worker_status"]
