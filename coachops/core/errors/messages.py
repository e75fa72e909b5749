"""Follow-up messages: codes COACH-MSG-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-MSG-001",
        Kind.CONFLICT,
        "This message cannot be {action} while it is {state}.",
        "Reload the page and look at its state.",
    ),
    ErrorSpec(
        "COACH-MSG-002",
        Kind.INVALID,
        "The client has no e-mail address.",
        "Add the address to the client, then make the draft again.",
    ),
    ErrorSpec(
        "COACH-MSG-003",
        Kind.UNAVAILABLE,
        "The mail server did not take the message ({reason}).",
        "Nothing was sent. Try again later; your admin can check COACHOPS_SMTP_URL.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-MSG-004",
        Kind.UNAVAILABLE,
        "It is not known whether the mail server delivered the message.",
        "Do not send it again blindly: ask the client or look in the mail server's log, then mark it sent or failed.",
    ),
)
