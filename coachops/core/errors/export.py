"""Export: codes COACH-EXP-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-EXP-001",
        Kind.USAGE,
        "There is no dataset '{name}'.",
        "Run 'coachops export datasets' for the list.",
        why="The name was mistyped, or it belongs to another version.",
    ),
    ErrorSpec(
        "COACH-EXP-002",
        Kind.USAGE,
        "The format '{name}' is not known.",
        "Use csv, json or jsonl.",
        why="The format was mistyped.",
    ),
    ErrorSpec(
        "COACH-EXP-003",
        Kind.CONFLICT,
        "The folder {path} already holds something.",
        "Choose an empty or a new folder.",
        why="An export never mixes with files that are there already.",
    ),
    ErrorSpec(
        "COACH-EXP-004",
        Kind.FAILED,
        "The export in {path} is not intact: {reason}.",
        "Run the export again; do not load these files.",
        why="A file was changed, cut or removed after the export was made.",
    ),
    ErrorSpec(
        "COACH-EXP-005",
        Kind.NOT_FOUND,
        "There is no export in {path}: manifest.json is missing.",
        "Give the folder that 'coachops export run --out' wrote.",
        why="The folder is another one, or the export was never finished.",
    ),
    ErrorSpec(
        "COACH-EXP-006",
        Kind.UNAVAILABLE,
        "The export could not be written to {path} ({reason}).",
        "Check free space and permissions, then run it again; nothing was left half-written.",
        retryable=True,
        why="The disk is full, or the folder belongs to another user.",
    ),
    ErrorSpec(
        "COACH-EXP-007",
        Kind.USAGE,
        "The interval ends before it begins: from {since} until {until}, exclusive.",
        "Give --until a later day than --since.",
        why="The two days were mixed up; the day of --until itself is not included.",
    ),
    ErrorSpec(
        "COACH-EXP-008",
        Kind.USAGE,
        "The CSV profile '{name}' is not known.",
        "Use lossless (for machines) or excel (for people).",
        why="The profile was mistyped.",
    ),
)
