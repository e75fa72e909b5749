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
        "Use csv, json or jsonl.",
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
    ErrorSpec(
        "COACH-EXP-006",
        Kind.UNAVAILABLE,
        "The export could not be written to {path} ({reason}).",
        "Check free space and permissions, then run it again; nothing was left half-written.",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-EXP-007",
        Kind.USAGE,
        "The interval ends before it begins: from {since} until {until}, exclusive.",
        "Give --until a later day than --since.",
    ),
    ErrorSpec(
        "COACH-EXP-008",
        Kind.USAGE,
        "The CSV profile '{name}' is not known.",
        "Use lossless (for machines) or excel (for people).",
    ),
)
