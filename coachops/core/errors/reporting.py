"""Reports: codes COACH-REP-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-REP-001",
        Kind.NOT_FOUND,
        "There is no report '{name}'.",
        "Run 'coachops report list' for the list.",
        why="The name was mistyped, or it belongs to another version.",
    ),
    ErrorSpec(
        "COACH-REP-002",
        Kind.USAGE,
        "The report '{name}' does not accept this parameter: {reason}.",
        "Run 'coachops report list' for its parameters.",
        why="The parameter was mistyped or is out of bounds.",
    ),
    ErrorSpec(
        "COACH-REP-003",
        Kind.FAILED,
        "The report '{name}' stopped in cell {cell}: {reason}.",
        "The notebook as far as it came is kept at {path}.",
        who="admin",
        why="The notebook met data or a setting that it does not expect.",
    ),
    ErrorSpec(
        "COACH-REP-004",
        Kind.FAILED,
        "The report '{name}' did not finish within {seconds} seconds and was ended.",
        "Run it for a shorter span, or ask your admin to look at the database's load.",
        who="admin",
        retryable=True,
        why="The span is very long, or the database is very busy.",
    ),
    ErrorSpec(
        "COACH-REP-005",
        Kind.UNAVAILABLE,
        "The report cannot be written to {path} ({reason}).",
        "Check free space and permissions of that folder, then run it again.",
        who="admin",
        retryable=True,
        why="The disk is full, or the folder belongs to another user.",
    ),
    ErrorSpec(
        "COACH-REP-006",
        Kind.CONFIGURATION,
        "The schedule {path} cannot be used: {reason}.",
        "Correct the file; reports/schedule.toml in the source tree shows its form.",
        who="admin",
        why="The file has a slip, or names a report that does not exist.",
    ),
)
