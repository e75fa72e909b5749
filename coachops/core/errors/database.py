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
        why="The server is stopped, the network is down, or the address or password is wrong.",
    ),
    ErrorSpec(
        "COACH-DB-002",
        Kind.UNAVAILABLE,
        "The database is busy with another write.",
        "Try again in a moment; nothing was changed.",
        retryable=True,
        why="Another process holds the database for longer than this one may wait.",
    ),
    ErrorSpec(
        "COACH-DB-003",
        Kind.UNAVAILABLE,
        "All {size} database connections of this process are in use.",
        "Try again in a moment; nothing was changed. If it stays, raise COACHOPS_DATABASE_POOL.",
        retryable=True,
        why="More requests came at once than connections are allowed, or one holds its connection for long.",
    ),
    ErrorSpec(
        "COACH-DB-004",
        Kind.UNAVAILABLE,
        "It is not certain yet whether this change was saved: the database gave no confirmation.",
        "Wait a moment, load the page again and look before you repeat it. An admin sees the "
        "servers by 'coachops db status'.",
        who="admin",
        why="The connection broke, or the wait for the standby ended, while the change was being saved.",
    ),
    ErrorSpec(
        "COACH-DB-005",
        Kind.CONFIGURATION,
        "The database is not set up for this version ({found} instead of {expected}).",
        "Run 'coachops init'.",
        who="admin",
        why="The schema is made and migrated by a command of its own, which was not run yet.",
    ),
    ErrorSpec(
        "COACH-DB-006",
        Kind.CONFIGURATION,
        "The database was written by a newer version of coachops ({found}).",
        "Install that version or a newer one; this one would damage it.",
        who="admin",
        why="A newer version of coachops has migrated it.",
    ),
    ErrorSpec(
        "COACH-DB-007",
        Kind.UNAVAILABLE,
        "The database can only be read at the moment ({reason}).",
        "Nothing was changed. Reading goes on; try the change again in a minute. An admin can "
        "make the standby the primary by 'coachops db promote'.",
        who="admin",
        retryable=True,
        why="No server that takes writes is there: the primary is down, and no standby was promoted yet.",
    ),
    ErrorSpec(
        "COACH-DB-008",
        Kind.FAILED,
        "The database is damaged ({reason}).",
        "Stop coachops, keep the damaged file, and bring back the newest good backup by "
        "'coachops backup restore'.",
        who="admin",
        why="The disk failed, or something other than coachops wrote into the file.",
    ),
    ErrorSpec(
        "COACH-DB-009",
        Kind.UNAVAILABLE,
        "The disk of the database is full.",
        "Nothing was changed and nothing is lost. Free some space on that disk, then try again.",
        who="admin",
        retryable=True,
        why="The database, its backups or other programs have used up the space.",
    ),
    ErrorSpec(
        "COACH-DB-010",
        Kind.CONFLICT,
        "This change was already made: its operation id was used before.",
        "Load what is there now; give a new operation id to a new change.",
        why="The same request was sent twice, for example after a time-out.",
    ),
    ErrorSpec(
        "COACH-DB-011",
        Kind.UNAVAILABLE,
        "The database server {host} was replaced by a newer primary and is not used.",
        "Stop it and join it again as a standby (guide, 'A database with a standby'). Where it is "
        "the right one, run 'coachops db accept'.",
        who="admin",
        why="A standby was promoted while this server was away, and writes to both would split the data.",
    ),
    ErrorSpec(
        "COACH-DB-012",
        Kind.CONFLICT,
        "No standby was promoted: {reason}.",
        "See 'coachops db status' for every server's role and what it lacks. {advice}.",
        who="admin",
        why="Two primaries would split the data, and only a standby that answers can be promoted.",
    ),
    ErrorSpec(
        "COACH-DB-013",
        Kind.UNAVAILABLE,
        "The database ended a step that took too long ({reason}).",
        "Nothing was changed. Try again when there is less to do; if it stays, ask for less at once "
        "(a shorter period, fewer clients).",
        who="admin",
        retryable=True,
        why="One question to PostgreSQL took longer than a minute, or an admin of the server ended it.",
    ),
)
