"""Reports: codes COACH-REP-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-REP-001",
        Kind.NOT_FOUND,
        "There is no report '{name}'.",
        "Run 'coachops report list' for the list.",
    ),
    ErrorSpec(
        "COACH-REP-002",
        Kind.USAGE,
        "The report '{name}' does not accept this parameter: {reason}.",
        "Run 'coachops report list' for its parameters.",
    ),
    ErrorSpec(
        "COACH-REP-003",
        Kind.FAILED,
        "The report '{name}' stopped in cell {cell}: {reason}.",
        "The notebook as far as it came is kept at {path}.",
        who="admin",
    ),
)
