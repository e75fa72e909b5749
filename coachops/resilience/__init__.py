"""Pure policies against failure: retry with full jitter, deadline, breaker, budget. No I/O here.

Invariants: policies know nothing of databases or HTTP; callers say what is transient, and hand in
the stores that several processes share. To add a policy: a module here, used through `db` or `ai`.
"""

from coachops.resilience.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    CircuitStore,
    Ended,
    Passage,
    Resting,
)
from coachops.resilience.deadline import Deadline
from coachops.resilience.retry import RetryPolicy
from coachops.resilience.retry_budget import Bucket, RetryBudget

__all__ = [
    "Bucket",
    "Circuit",
    "CircuitBreaker",
    "CircuitStore",
    "Deadline",
    "Ended",
    "Passage",
    "Resting",
    "RetryBudget",
    "RetryPolicy",
]
