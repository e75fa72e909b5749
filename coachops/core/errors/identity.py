"""Sign-in, users and permissions: codes COACH-IDN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-IDN-001",
        Kind.UNAUTHENTICATED,
        "E-mail or password is wrong.",
        "Try again, or ask your admin for a one-time link.",
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
)
