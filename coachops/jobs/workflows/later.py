"""Putting work off: this run ends, and the next one waits in the queue until its time.

Nobody's place is held meanwhile, and a crash loses nothing: the id of the next run is known.
"""

from __future__ import annotations

from coachops.jobs.ids import parse_job_id
from coachops.jobs.queue import JobQueue
from coachops.jobs.runtime import current

_LONGEST = 24 * 3600.0
"""Seconds; who asks for more is asked again after a day."""


def put_off(job: str, seconds: float, *arguments: str) -> str:
    """Queue the run after `job` with these arguments; returns its id. To be called in a step."""
    later = parse_job_id(job).next()
    queue = JobQueue(current().settings)
    try:
        return queue.enqueue_as(later, *arguments, delay_seconds=min(max(1.0, seconds), _LONGEST))
    finally:
        queue.close()
