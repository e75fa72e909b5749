"""Sign-in, users and permissions: codes COACH-IDN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-IDN-001",
        Kind.UNAUTHENTICATED,
        "E-mail or password is wrong.",
        "Try again, or ask your admin for a one-time link; after five failures sign-in by password "
        "pauses for 15 minutes.",
        why="One of the two was mistyped, or the account is disabled or paused after too many wrong tries.",
    ),
    ErrorSpec(
        "COACH-IDN-002",
        Kind.UNAUTHENTICATED,
        "You are not signed in, or your session has ended.",
        "Sign in again.",
        why="A sign-in ends after some hours, when you sign out, or when an admin ends it.",
    ),
    ErrorSpec(
        "COACH-IDN-003",
        Kind.FORBIDDEN,
        "Your role does not include {what}.",
        "Ask an admin.",
        who="admin",
        why="Roles see and change only what their work needs, and a token only its scopes.",
    ),
    ErrorSpec(
        "COACH-IDN-004",
        Kind.UNAUTHENTICATED,
        "This link was used already, or is too old.",
        "Ask for a new one.",
        why="Each link works once and only for a while, so that nobody can use it after you.",
    ),
    ErrorSpec(
        "COACH-IDN-005",
        Kind.CONFLICT,
        "There is already a user with the e-mail {email}.",
        "Use another e-mail, or edit that user.",
        why="A person signs in by e-mail, so each address belongs to one user.",
    ),
    ErrorSpec(
        "COACH-IDN-006",
        Kind.INVALID,
        "The new password {reason}.",
        "Choose another: a sentence of four or five words is good.",
        why="Short and well-known passwords are guessed first.",
    ),
    ErrorSpec(
        "COACH-IDN-007",
        Kind.CONFLICT,
        "You have {limit} pages open, which is the most that one sign-in may have.",
        "Close a tab you do not need, wait a few seconds, and open the page again.",
        retryable=True,
        why="Each open page runs a program of its own on the server.",
    ),
    ErrorSpec(
        "COACH-IDN-008",
        Kind.NOT_FOUND,
        "There is no user '{ref}'.",
        "Check the spelling; 'coachops user list' shows all.",
        why="The e-mail or id was mistyped, or the user belongs to another installation.",
    ),
    ErrorSpec(
        "COACH-IDN-009",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and try again.",
        why="The value is empty, too long or of the wrong form.",
    ),
    ErrorSpec(
        "COACH-IDN-010",
        Kind.CONFLICT,
        "This cannot be done: {reason}.",
        "Choose another user, or enable this one first.",
        why="It would lock everybody out, or act for a user who is disabled.",
    ),
    ErrorSpec(
        "COACH-IDN-011",
        Kind.NOT_FOUND,
        "There is no token '{ref}'.",
        "'coachops token list' shows all tokens with their ids.",
        why="The id was mistyped, or the token belongs to another installation.",
    ),
    ErrorSpec(
        "COACH-IDN-012",
        Kind.UNAUTHENTICATED,
        "The token is not valid: unknown, expired or revoked.",
        "Ask an admin for a new token ('coachops token create').",
        who="admin",
        why="The token was mistyped or cut, its time has passed, it was taken back, or its user was disabled.",
    ),
    ErrorSpec(
        "COACH-IDN-013",
        Kind.FORBIDDEN,
        "This page could not find out who is signed in.",
        "Reload the page; if it stays so, sign in again.",
        retryable=True,
        why="The suite was restarted while the page was opened, or the sign-in ended.",
    ),
    ErrorSpec(
        "COACH-IDN-014",
        Kind.UNAVAILABLE,
        "There were too many failed tries from your address.",
        "Wait {minutes} minutes, then try once more; your admin can send you a one-time link.",
        retryable=True,
        why="Many wrong passwords or tokens came from one address, as they do when somebody guesses.",
    ),
    ErrorSpec(
        "COACH-IDN-015",
        Kind.FORBIDDEN,
        "This token does not allow {scope}.",
        "Ask an admin for a token with that scope ('coachops token create --scope {scope}').",
        who="admin",
        why="A token may do only what it was made for.",
    ),
    ErrorSpec(
        "COACH-IDN-016",
        Kind.FORBIDDEN,
        "The limits of this token leave out {what}.",
        "Ask an admin for a token with wider limits; 'coachops token list' shows those of each.",
        who="admin",
        why="A token sees only the datasets, coaches, clients and words that it was made for.",
    ),
)
