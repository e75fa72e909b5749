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
        "Use csv, json, jsonl or parquet.",
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
        "COACH-EXP-010",
        Kind.FAILED,
        "The export in {path} has format {found}, and this version reads format {known}.",
        "Use the version of coachops that the export was made with, or make it again.",
        why="It was made by an older or a newer version whose layout is another one.",
    ),
    ErrorSpec(
        "COACH-EXP-011",
        Kind.FAILED,
        "The export in {path} is not signed with the key that you named ({reason}).",
        "Do not load it. Ask for the export again, and for the fingerprint by another way: "
        "'coachops export key' prints it where the export was made.",
        why="It comes from another installation, or somebody put other files in its place.",
    ),
    ErrorSpec(
        "COACH-EXP-012",
        Kind.CONFLICT,
        "The database {url} already holds tables.",
        "Name an empty database, or a file that does not exist yet.",
        why="An export is never mixed with tables that are there already.",
    ),
    ErrorSpec(
        "COACH-EXP-013",
        Kind.FAILED,
        "What was restored differs from the export: {reason}.",
        "Nothing was left in the target. Run 'coachops export verify', then restore again.",
        why="The target changed values while they were stored.",
    ),
    ErrorSpec(
        "COACH-EXP-014",
        Kind.UNAVAILABLE,
        "Writing Delta Lake tables needs the package 'deltalake', which is not installed.",
        "Install it: pip install 'coachops[lake]'.",
        why="It is an extra, for teams that work with Spark, Databricks, Snowflake or Trino.",
    ),
    ErrorSpec(
        "COACH-EXP-015",
        Kind.USAGE,
        "'{key}' is neither a fingerprint nor a file with a public key.",
        "Give the 64 hex digits or the file that 'coachops export key' prints or writes.",
        why="The file is missing, holds another sort of key, or the fingerprint was cut.",
    ),
    ErrorSpec(
        "COACH-EXP-016",
        Kind.USAGE,
        "The compression '{name}' is not known.",
        "Use none, zstd or gzip.",
        why="The compression was mistyped.",
    ),
    ErrorSpec(
        "COACH-EXP-017",
        Kind.FAILED,
        "The dataset {dataset} has schema version {found}, and this version reads major {known}.",
        "Use the version of coachops that the export was made with, or make it again.",
        why="Columns were removed or changed between the two versions.",
    ),
    ErrorSpec(
        "COACH-EXP-018",
        Kind.UNAVAILABLE,
        "The export could not be written to {url} ({reason}).",
        "Check the address, the permissions and the free space; nothing was left there.",
        retryable=True,
        why="The database or the store cannot be reached, or refuses to be written.",
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
