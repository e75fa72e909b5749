"""Pure policies against failure: retry with full jitter, deadlines. No input or output here.

Invariants: policies know nothing of databases or HTTP; callers say what is transient.
To add a policy: a module here, used through `db` or `ai`.
"""

from coachops.resilience.retry import RetryPolicy

__all__ = ["RetryPolicy"]
