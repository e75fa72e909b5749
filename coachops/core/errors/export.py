"""Export: codes COACH-EXP-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-EXP-001",
        Kind.USAGE,
        "There is no dataset '{name}'.",
        "Run 'coachops export datasets' for the list.",
    ),
    ErrorSpec(
        "COACH-EXP-002",
        Kind.USAGE,
        "The format '{name}' is not known.",
        "Use csv or json.",
    ),
    ErrorSpec(
        "COACH-EXP-003",
        Kind.CONFLICT,
        "The folder {path} already holds something.",
        "Choose an empty or a new folder.",
    ),
    ErrorSpec(
        "COACH-EXP-004",
        Kind.FAILED,
        "The export in {path} is not intact: {reason}.",
        "Run the export again; do not load these files.",
    ),
    ErrorSpec(
        "COACH-EXP-005",
        Kind.NOT_FOUND,
        "There is no export in {path}: manifest.json is missing.",
        "Give the folder that 'coachops export run --out' wrote.",
    ),
)
