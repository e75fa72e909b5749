"""Installation and settings: codes COACH-SYS-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-SYS-001",
        Kind.CONFIGURATION,
        "The setting {name} is not valid: {reason}.",
        "Correct it in the environment; 'coachops config' shows all settings and where they come from.",
        who="admin",
        why="The variable holds a value of the wrong form, or two settings contradict each other.",
    ),
    ErrorSpec(
        "COACH-SYS-002",
        Kind.USAGE,
        "{reason}",
        "Run the command with --help for an example.",
        why="An option or argument is missing, unknown or of the wrong form.",
    ),
    ErrorSpec(
        "COACH-SYS-003",
        Kind.FAILED,
        "Something went wrong that this program did not expect ({reason}).",
        "Try it again; if it stays so, tell your admin the code and the id of the request.",
        who="admin",
        why="A mistake in the program; its place is in the log, under the id of the request.",
    ),
    ErrorSpec(
        "COACH-SYS-004",
        Kind.NOT_FOUND,
        "There is no file or folder {path}.",
        "Check the path.",
        why="The path was mistyped, or is relative to another folder.",
    ),
    ErrorSpec(
        "COACH-SYS-005",
        Kind.UNAVAILABLE,
        "The port {port} on {host} is already in use.",
        "Stop the other program, or choose another with --port.",
        who="admin",
        why="Another program, or another coachops, listens there already.",
    ),
    ErrorSpec(
        "COACH-SYS-006",
        Kind.FAILED,
        "The process {name} keeps ending (exit code {exit_code}).",
        "Its log says why; mend that and start again.",
        who="admin",
        why="It cannot do its work with these settings, or a part of the installation is damaged.",
    ),
    ErrorSpec(
        "COACH-SYS-007",
        Kind.UNAVAILABLE,
        "Another 'coachops serve' runs with the home folder {home}.",
        "Use that one, stop it, or choose another folder with COACHOPS_HOME.",
        who="admin",
        why="Two sets of processes on one home folder would end each other's pages.",
    ),
    ErrorSpec(
        "COACH-SYS-008",
        Kind.CONFLICT,
        "The database {place} was not made by the demo, which puts made-up people into it.",
        "Choose another folder: COACHOPS_HOME=./demo coachops demo.",
        who="admin",
        why="Made-up people must never stand among real ones.",
    ),
    ErrorSpec(
        "COACH-SYS-009",
        Kind.FAILED,
        "The audit record is not as it was written: {reason}.",
        "Keep the database as it is, and run 'coachops audit verify': it names the row.",
        who="admin",
        why="Somebody changed the database past the suite, or a disk damaged it.",
    ),
)
