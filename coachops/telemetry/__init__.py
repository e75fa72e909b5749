"""Recording what happens: activity rows for figures, structured logs for operators.

Invariants: ids, counts and durations only, never a client's words.
To record a use: `record_activity(session, actor, "transcript.uploaded", …)`.
"""

from coachops.telemetry.activity import record_activity
from coachops.telemetry.logs import configure_logging

__all__ = ["configure_logging", "record_activity"]
