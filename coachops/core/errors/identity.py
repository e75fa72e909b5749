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
    ),
    ErrorSpec(
        "COACH-IDN-002",
        Kind.UNAUTHENTICATED,
        "You are not signed in, or your session has ended.",
        "Sign in again.",
    ),
    ErrorSpec(
        "COACH-IDN-003",
        Kind.FORBIDDEN,
        "Your role does not include {what}.",
        "Ask an admin.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-IDN-004",
        Kind.UNAUTHENTICATED,
        "This link was used already, or is too old.",
        "Ask for a new one.",
    ),
    ErrorSpec(
        "COACH-IDN-005",
        Kind.CONFLICT,
        "There is already a user with the e-mail {email}.",
        "Use another e-mail, or edit that user.",
    ),
    ErrorSpec(
        "COACH-IDN-006",
        Kind.INVALID,
        "The new password {reason}.",
        "Choose another: a sentence of four or five words is good.",
    ),
    ErrorSpec(
        "COACH-IDN-007",
        Kind.CONFLICT,
        "You have {limit} pages open, which is the most that one sign-in may have.",
        "Close a tab you do not need, wait a few seconds, and open the page again.",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-IDN-008",
        Kind.NOT_FOUND,
        "There is no user '{ref}'.",
        "Check the spelling; 'coachops user list' shows all.",
    ),
    ErrorSpec(
        "COACH-IDN-009",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and try again.",
    ),
    ErrorSpec(
        "COACH-IDN-010",
        Kind.CONFLICT,
        "This cannot be done: {reason}.",
        "Choose another user, or enable this one first.",
    ),
    ErrorSpec(
        "COACH-IDN-011",
        Kind.NOT_FOUND,
        "There is no token '{ref}'.",
        "'coachops token list' shows all tokens with their ids.",
    ),
    ErrorSpec(
        "COACH-IDN-012",
        Kind.UNAUTHENTICATED,
        "The token is not valid: unknown, expired or revoked.",
        "Ask an admin for a new token ('coachops token create').",
        who="admin",
    ),
    ErrorSpec(
        "COACH-IDN-013",
        Kind.FORBIDDEN,
        "This page could not find out who is signed in.",
        "Reload the page; if it stays so, sign in again.",
        retryable=True,
    ),
)
