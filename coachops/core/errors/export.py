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
        "Give a later day as the end than as the beginning.",
        why="The two days were mixed up; the last one itself is not included.",
    ),
    ErrorSpec(
        "COACH-EXP-008",
        Kind.USAGE,
        "The CSV profile '{name}' is not known.",
        "Use lossless (for machines) or excel (for people).",
        why="The profile was mistyped.",
    ),
    ErrorSpec(
        "COACH-EXP-009",
        Kind.FAILED,
        "A value of {dataset} cannot be exported: {column} of row {key} is {reason}.",
        "Correct that row in the database, then run the export again.",
        who="admin",
        why="Another program wrote a value that no format can hold: an infinite time, a number that "
        "is none, text that is not UTF-8, or a value of another type than the column's.",
    ),
    ErrorSpec(
        "COACH-EXP-020",
        Kind.UNAVAILABLE,
        "The moment of the database that the export reads is gone ({reason}).",
        "Start the export again; nothing was published.",
        retryable=True,
        why="The process that held the moment ended, the server was restarted, or another server "
        "has become the primary.",
    ),
    ErrorSpec(
        "COACH-EXP-021",
        Kind.UNAVAILABLE,
        "A process that wrote files of the export ended before its work was done ({reason}).",
        "Run the export again, with fewer --workers if memory is short; nothing was published.",
        retryable=True,
        why="The process was killed, or the machine ran out of memory.",
    ),
    ErrorSpec(
        "COACH-EXP-022",
        Kind.FAILED,
        "File {shard} of {dataset} would hold {found} rows, but {planned} were counted.",
        "Start the export again; nothing was published. If it stays, check the database with "
        "'coachops doctor'.",
        retryable=True,
        why="The database was changed between the plan of a resumed export and the reading, or an "
        "index of it is damaged.",
    ),
    ErrorSpec(
        "COACH-EXP-023",
        Kind.FAILED,
        "The database sent rows of {dataset} in a form that cannot be read ({reason}).",
        "Check that its schema is at head ('coachops doctor'), then run the export again.",
        who="admin",
        why="The schema was changed by hand, or something between the suite and the server changes "
        "what is sent.",
    ),
)
