"""Erasure, retention and legal holds: codes COACH-PRV-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-PRV-001",
        Kind.CONFLICT,
        "There is a legal hold on this client since {since}.",
        "'coachops privacy hold list' shows why; once the duty has ended, release the hold, then "
        "erase.",
        who="admin",
        why="Somebody recorded a duty to keep what is held about this client.",
    ),
    ErrorSpec(
        "COACH-PRV-002",
        Kind.CONFLICT,
        "A letter to this client is on its way just now.",
        "Try again in a minute.",
        retryable=True,
        why="The mail server has not answered yet; what it says has to be kept with the letter.",
    ),
    ErrorSpec(
        "COACH-PRV-003",
        Kind.CONFLICT,
        "This client was erased, so they are not taken in again by themselves.",
        "Take them out of the file. If they come back of their own will: 'coachops privacy "
        "readmit', then import again.",
        who="admin",
        why="The roster of another system still names them.",
    ),
    ErrorSpec(
        "COACH-PRV-004",
        Kind.USAGE,
        "There is no period for '{kind}' of {days} days.",
        "Give one of {known} and at least 1 day, or 'keep'.",
        why="The kind was mistyped, or the number is not a whole one.",
    ),
    ErrorSpec(
        "COACH-PRV-005",
        Kind.CONFIGURATION,
        "It cannot be told who was erased, so no new client is taken in.",
        "Put secrets/erasures of the home back from the backup, then import again.",
        who="admin",
        why="The list of erased clients was made with another secret than this machine's.",
    ),
    ErrorSpec(
        "COACH-PRV-006",
        Kind.NOT_FOUND,
        "There is no {what} '{ref}'.",
        "'coachops privacy hold list' and 'coachops privacy erased' show what there is.",
        why="It was mistyped, or it has ended already.",
    ),
    ErrorSpec(
        "COACH-PRV-007",
        Kind.FAILED,
        "The client is erased, but {count} places could not be cleaned yet: {places}.",
        "Nothing is lost: the worker tries again each day. Mend what stands in the way, then run "
        "'coachops privacy retention run' to try at once.",
        who="admin",
        why="A file could not be removed, or a program kept the database's file open.",
    ),
    ErrorSpec(
        "COACH-PRV-008",
        Kind.INVALID,
        "The reason of a hold is {problem}.",
        "Say in one sentence which duty it is, without names.",
        why="Whoever releases the hold later has to know what it was for.",
    ),
    ErrorSpec(
        "COACH-PRV-009",
        Kind.FAILED,
        "The list of erased clients in {path} cannot be read.",
        "Look at the file; put it back from a backup. Nothing is restored before it can be read.",
        who="admin",
        why="The file was damaged or written by another program.",
    ),
)
