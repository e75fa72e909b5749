"""The database: codes COACH-DB-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-DB-001",
        Kind.UNAVAILABLE,
        "The database cannot be reached ({reason}).",
        "Check COACHOPS_DATABASE_URL and that the server runs.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-DB-002",
        Kind.UNAVAILABLE,
        "The database is busy with another write.",
        "Try again in a moment; nothing was changed.",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-DB-005",
        Kind.CONFIGURATION,
        "The database is not set up for this version ({found} instead of {expected}).",
        "Run 'coachops init'.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-DB-006",
        Kind.CONFIGURATION,
        "The database was written by a newer version of coachops ({found}).",
        "Install that version or a newer one; this one would damage it.",
        who="admin",
    ),
)
