"""Sessions, analysis, consent and goals: codes COACH-CCH-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-CCH-001",
        Kind.NOT_FOUND,
        "There is no {what} '{ref}' that you may see.",
        "Check the spelling (an e-mail, an external id or an id), or ask your admin whose it is.",
        why="It was mistyped or removed, or it belongs to another coach.",
    ),
    ErrorSpec(
        "COACH-CCH-002",
        Kind.FORBIDDEN,
        "The client has not consented to {kind}.",
        "Ask the client, record the consent, then start the analysis again.",
        why="Nothing is analysed or sent before the client has agreed to exactly that.",
    ),
    ErrorSpec(
        "COACH-CCH-003",
        Kind.CONFLICT,
        "It is not certain who is the coach and who is the client in this transcript.",
        "Confirm or swap the speakers, then the analysis starts.",
        why="The names in the file match neither the coach nor the client for certain.",
    ),
    ErrorSpec(
        "COACH-CCH-004",
        Kind.CONFLICT,
        "This {what} was changed by somebody else in the meantime.",
        "Look at it as it is now, then make your change again.",
        why="It was open in two places, or an admin changed it.",
    ),
    ErrorSpec(
        "COACH-CCH-005",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and try again.",
        why="The value is empty, too long or of the wrong form.",
    ),
    ErrorSpec(
        "COACH-CCH-006",
        Kind.INVALID,
        "There is no engagement between coach '{coach}' and client '{client}'.",
        "Add the engagement with 'coachops roster import', or choose another client.",
        who="admin",
        why="The client is not assigned to this coach in the roster.",
    ),
    ErrorSpec(
        "COACH-CCH-007",
        Kind.CONFLICT,
        "This database already holds {count} seeded coaches.",
        "Seed into an empty database: set COACHOPS_HOME to another folder.",
        why="Seeding twice would mix two made-up organisations.",
    ),
    ErrorSpec(
        "COACH-CCH-008",
        Kind.CONFLICT,
        "Coach '{ref}' cannot leave like this: {reason}.",
        "Name a successor who stays, and the day that was agreed.",
        who="admin",
        why="The successor is the same coach or leaves too, or another day was set before.",
    ),
)
