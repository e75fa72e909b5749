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
        "The mail server or the outbox did not take the message ({reason}).",
        "Nothing was sent. Try again later; your admin can check COACHOPS_SMTP_URL, or without it "
        "the outbox folder and its disk.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-MSG-004",
        Kind.UNAVAILABLE,
        "It is not known whether the mail server delivered the message.",
        "Do not send it again blindly: ask the client or look in the mail server's log, then mark it sent or failed.",
    ),
    ErrorSpec(
        "COACH-MSG-005",
        Kind.CONFLICT,
        "There is no analysis of this transcript that a follow-up could be drafted from.",
        "Start the analysis first; the draft follows by itself.",
    ),
    ErrorSpec(
        "COACH-MSG-006",
        Kind.INVALID,
        "The {field} cannot be used: {reason}.",
        "Correct it and save again.",
    ),
    ErrorSpec(
        "COACH-MSG-007",
        Kind.NOT_FOUND,
        "This link is not valid, or it is too old.",
        "Open the link in the newest e-mail from your coach, or answer that e-mail.",
    ),
    ErrorSpec(
        "COACH-MSG-008",
        Kind.CONFLICT,
        "Your answer was recorded more than {days} days ago and stands.",
        "Tell your coach in your next session, or answer the e-mail.",
    ),
    ErrorSpec(
        "COACH-MSG-009",
        Kind.CONFIGURATION,
        "The mail server refused the user name or password, or does not offer encryption.",
        "Check COACHOPS_SMTP_URL; nothing was sent.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-MSG-012",
        Kind.CONFLICT,
        "The data were restored from a backup, and this letter may have been sent since it was made.",
        "Ask the client or look in the mail server's log whether it arrived before you send it.",
        why="A backup knows nothing of what happened after it was made.",
    ),
)
