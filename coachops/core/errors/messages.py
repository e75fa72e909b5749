"""Follow-up messages: codes COACH-MSG-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-MSG-001",
        Kind.CONFLICT,
        "This message cannot be {action} while it is {state}.",
        "Look at its state as it is now.",
        why="It was approved, sent or changed in the meantime.",
    ),
    ErrorSpec(
        "COACH-MSG-002",
        Kind.INVALID,
        "The client has no e-mail address.",
        "Add the address to the client, then make the draft again.",
        why="The roster holds no address for this client.",
    ),
    ErrorSpec(
        "COACH-MSG-003",
        Kind.UNAVAILABLE,
        "The mail server or the outbox did not take the message ({reason}).",
        "Nothing was sent. Try again later; your admin can check COACHOPS_SMTP_URL, or without it "
        "the outbox folder and its disk.",
        who="admin",
        retryable=True,
        why="The mail server is away or refused the letter, or the disk of the outbox is full.",
    ),
    ErrorSpec(
        "COACH-MSG-004",
        Kind.UNAVAILABLE,
        "It is not known whether the mail server delivered the message.",
        "Do not send it again blindly: ask the client or look in the mail server's log, then mark it sent or failed.",
        why="The connection broke after the letter was handed over and before the server said yes or no.",
    ),
    ErrorSpec(
        "COACH-MSG-005",
        Kind.CONFLICT,
        "There is no analysis of this transcript that a follow-up could be drafted from.",
        "Start the analysis first; the draft follows by itself.",
        why="A follow-up is written from the findings of the session.",
    ),
    ErrorSpec(
        "COACH-MSG-006",
        Kind.INVALID,
        "The {field} cannot be used: {reason}.",
        "Correct it and save again.",
        why="It is empty, too long, or holds something that a letter cannot.",
    ),
    ErrorSpec(
        "COACH-MSG-007",
        Kind.NOT_FOUND,
        "This link is not valid, or it is too old.",
        "Open the link in the newest e-mail from your coach, or answer that e-mail.",
        why="Links of letters end after some months, and a cut link does not work.",
    ),
    ErrorSpec(
        "COACH-MSG-008",
        Kind.CONFLICT,
        "Your answer was recorded more than {days} days ago and stands.",
        "Tell your coach in your next session, or answer the e-mail.",
        why="Answers can be changed for some days only, so that your coach can rely on them.",
    ),
    ErrorSpec(
        "COACH-MSG-009",
        Kind.CONFIGURATION,
        "The mail server refused the user name or password, or does not offer encryption.",
        "Check COACHOPS_SMTP_URL; nothing was sent.",
        who="admin",
        why="The address of the mail server, its user name or its password in the settings is wrong.",
    ),
    ErrorSpec(
        "COACH-MSG-010",
        Kind.CONFLICT,
        "This client does not get e-mails from here: {reason}.",
        "Talk to the client. A wrong address can be corrected; whoever asked for no more e-mails can "
        "ask for them again by the link in an earlier letter, or through the coach.",
        why="An address that refuses mail, or whose owner does not want any, is never written to.",
    ),
    ErrorSpec(
        "COACH-MSG-011",
        Kind.INVALID,
        "The client's mail server does not take mail for this address ({status}).",
        "Ask the client for the right address, correct it, and send the letter to it.",
        why="The mailbox does not exist any more, or the address was mistyped.",
    ),
    ErrorSpec(
        "COACH-MSG-013",
        Kind.INVALID,
        "This report of a mail server cannot be read: {reason}.",
        "Look at it yourself; a mail that is no report needs nothing else.",
        who="admin",
        why="It is damaged, far too large, or not a report at all.",
    ),
    ErrorSpec(
        "COACH-MSG-014",
        Kind.CONFIGURATION,
        "The list of addresses that are never written to was made with another secret, so it cannot "
        "be read; no letter is sent until it can.",
        "Restore the file secrets/feedback of COACHOPS_HOME from the backup.",
        who="admin",
        why="The secret was lost or replaced, or this machine was set up without the other's secrets.",
    ),
    ErrorSpec(
        "COACH-MSG-015",
        Kind.FORBIDDEN,
        "The client's mail program reported a letter as unwanted; a coach cannot lift that.",
        "The client can ask for letters again by the link in an earlier letter, or an admin can "
        "record it.",
        why="Mail services block senders who write on after such a report.",
    ),
    ErrorSpec(
        "COACH-MSG-016",
        Kind.UNAVAILABLE,
        "This could not be kept just now; nothing has changed yet.",
        "Try again in a minute, or answer the e-mail and tell your coach.",
        retryable=True,
        why="The database can only be read at the moment, or is away.",
    ),
)
