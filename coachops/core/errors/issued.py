"""Exports that were asked for: codes COACH-EXP-040 and above"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-EXP-040",
        Kind.NOT_FOUND,
        "There is no export '{ref}'.",
        "Look at the list: 'coachops export list', or GET /v1/exports.",
        why="The id was mistyped, or the export was asked for by somebody else.",
    ),
    ErrorSpec(
        "COACH-EXP-041",
        Kind.CONFLICT,
        "The export '{ref}' cannot be {action} while it is {state}.",
        "Look at its state first.",
        why="It went on while you were looking at it.",
    ),
    ErrorSpec(
        "COACH-EXP-042",
        Kind.CONFLICT,
        "This Idempotency-Key was used for another request.",
        "Send a new key for a new request; the same key belongs to the same body.",
        why="A program uses one key for two different exports.",
    ),
    ErrorSpec(
        "COACH-EXP-043",
        Kind.FORBIDDEN,
        "You may not export {what}.",
        "Leave it out, or ask an admin for a token with a wider grant.",
        who="admin",
        why="A token's grant, or a coach's role, limits which data may leave.",
    ),
    ErrorSpec(
        "COACH-EXP-044",
        Kind.NOT_FOUND,
        "The files of the export '{ref}' are gone.",
        "Start a new export; with a new Idempotency-Key, if you send one.",
        why="Exports are deleted some days after they were made, or when somebody cancels them.",
    ),
    ErrorSpec(
        "COACH-EXP-045",
        Kind.NOT_FOUND,
        "The export '{ref}' has no file of that name.",
        "Take the names from its manifest.",
        why="The name was mistyped, or belongs to another export.",
    ),
    ErrorSpec(
        "COACH-EXP-046",
        Kind.USAGE,
        "The file has {size} bytes: the range that was asked for lies outside.",
        "Ask for 'bytes=0-', or for a range within the file; one range at a time.",
        why="The file is shorter than the program believes, because it belongs to another export.",
    ),
    ErrorSpec(
        "COACH-EXP-047",
        Kind.UNAVAILABLE,
        "The state of this export is asked for too often.",
        "Wait as long as Retry-After says between two looks.",
        retryable=True,
        why="A program polls without waiting.",
    ),
    ErrorSpec(
        "COACH-EXP-050",
        Kind.UNAVAILABLE,
        "The place for exports, {place}, cannot be used ({reason}).",
        "Check the service and its keys, then start the export again; nothing was published.",
        who="admin",
        retryable=True,
        why="The storage service is away, full, or refuses the keys.",
    ),
    ErrorSpec(
        "COACH-EXP-051",
        Kind.CONFLICT,
        "The export '{ref}' failed ({reason}).",
        "Look the code in brackets up in the guide; then ask again: the same Idempotency-Key goes on "
        "with this export.",
        why="The cause stands in brackets.",
    ),
    ErrorSpec(
        "COACH-EXP-052",
        Kind.FAILED,
        "The command that made the export ended before its work was done.",
        "Run the export again; nothing was published.",
        retryable=True,
        why="It was stopped, or its machine went down.",
    ),
    ErrorSpec(
        "COACH-EXP-053",
        Kind.UNAVAILABLE,
        "{limit} exports of yours wait or are being made already.",
        "Wait until one is ready, or cancel one; then ask again.",
        retryable=True,
        why="More at once would fill the queue and the place for exports (COACHOPS_EXPORT_OPEN).",
    ),
)
