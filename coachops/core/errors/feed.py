"""Change feed: codes COACH-FED-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-FED-001",
        Kind.USAGE,
        "The cursor cannot be read: it is not one that this installation gave out.",
        "Send the cursor of the last answer unchanged, or leave it out to begin anew.",
        why="It was cut off or changed on its way, or it comes from another installation.",
    ),
    ErrorSpec(
        "COACH-FED-002",
        Kind.USAGE,
        "The cursor belongs to another dataset or filter.",
        "Keep one cursor per dataset and filter; for another one leave it out and begin anew.",
        why="A cursor says up to where one selection of rows was read; of another one it says "
        "nothing. What a token may see counts as a filter, too.",
    ),
    ErrorSpec(
        "COACH-FED-003",
        Kind.CONFLICT,
        "The feed has begun anew: what this cursor says cannot be continued.",
        "Compare with GET /v1/digest and load what differs, or load everything again without a "
        "cursor or from an export.",
        why="A backup was restored, another server took over, or the cursor is of another database.",
    ),
    ErrorSpec(
        "COACH-FED-004",
        Kind.CONFLICT,
        "The cursor is too old: deletions since then are forgotten.",
        "Load everything again without a cursor or from an export, and remove rows that are not in "
        "it.",
        why="It was not used for longer than COACHOPS_FEED_KEEP_DAYS.",
    ),
    ErrorSpec(
        "COACH-FED-005",
        Kind.CONFLICT,
        "The cursor was given out for version {had} of the schema, which is no longer served.",
        "Adapt to version {now} of the schema, then load everything again without a cursor.",
        why="A major version changed or removed columns.",
    ),
    ErrorSpec(
        "COACH-FED-006",
        Kind.FORBIDDEN,
        "This caller may not follow {what}.",
        "Leave that filter out, or ask an admin for a token that reaches further.",
        who="admin",
        why="The token or role is limited to other data.",
    ),
    ErrorSpec(
        "COACH-FED-007",
        Kind.FAILED,
        "{count} changes have waited for their place in the feed since {since}.",
        "Start 'coachops serve' or 'coachops worker'; any call of GET /v1/changes helps as well.",
        who="admin",
        why="No worker runs, or a session blocks the sequencer.",
    ),
    ErrorSpec(
        "COACH-FED-008",
        Kind.FAILED,
        "The cursor could not be kept in {path} ({reason}).",
        "Check free space and permissions; then run it again, some rows will be printed twice.",
        why="The disk is full, or the folder belongs to another user.",
    ),
)
