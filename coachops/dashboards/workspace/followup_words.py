"""How a letter stands, in words for its coach: one row for each thing that can be true of it."""

from __future__ import annotations

from typing import Final

from coachops.coaching.messages import MessageRow
from coachops.dashboards.components import Tone

# tone, title, what it means and what to do
STATES: Final[dict[str, tuple[Tone, str, str]]] = {
    "draft": (
        "warn",
        "Draft: nothing has been sent",
        "Read it as {name} will. It goes out only after you approve it.",
    ),
    "approved": ("info", "Approved: it is on its way", "It leaves within moments."),
    "sending": ("info", "Sending\u2026", "It is being handed to the mail server."),
    "sent": ("ok", "Sent", "It went to {name} ({address}) on {sent}."),
    "uncertain": (
        "bad",
        "It is not certain whether it arrived",
        "The connection broke off while the mail server was answering. It will not be sent again by "
        "itself. Ask {name} whether it arrived, then say so here.",
    ),
    "failed": (
        "bad",
        "It was not sent",
        "It could not be handed over. {name} has not received anything.",
    ),
    "returned": (
        "bad",
        "It came back",
        "The mail server of {name} returned it on {delivery}. {name} has not read it.",
    ),
    "complained": (
        "warn",
        "Sent, and reported as unwanted",
        "It went to {name} ({address}) on {sent}. On {delivery} their mail program reported it as "
        "unwanted, so no more e-mails go to this address.",
    ),
    "delivered": (
        "ok",
        "Sent and delivered",
        "It went to {name} ({address}) on {sent}. Their mail server has taken it.",
    ),
    "put_off": (
        "info",
        "Approved: it waits for the mail server",
        "It could not be handed over yet. It is tried again by itself on {retry}.",
    ),
    "put_off_by_us": (
        "warn",
        "Approved: it waits for your admin",
        "Nobody can tell at the moment who wants no e-mails, so none is sent. It is tried again by "
        "itself.",
    ),
    "restored": (
        "bad",
        "It may have been sent already",
        "The data were restored from a backup. This letter was on its way when the backup was made, "
        "and nobody knows what became of it. It will not be sent by itself. Ask {name} whether it "
        "arrived, then say so here.",
    ),
    "restored_draft": (
        "warn",
        "It may have been sent already",
        "The data were restored from a backup. If you approved and sent this letter after the backup "
        "was made, {name} has it. Ask before you send it.",
    ),
}


def shown_as(message: MessageRow) -> tuple[str, str]:
    """The row of `STATES` that fits a letter, and the code that explains it, or an empty one."""
    code = message.error_code or ""
    match message.state:
        case "sent" if message.delivery is not None:
            returned = message.delivery == "bounced"
            return ("returned", "COACH-MSG-011") if returned else (message.delivery, "")
        case "approved" if message.retry_at is not None:
            return ("put_off_by_us", code) if code == "COACH-MSG-014" else ("put_off", "")
        case "uncertain" if code == "COACH-BKP-018":
            return "restored", code
        case "draft" if code == "COACH-BKP-018":
            return "restored_draft", code
        case "failed" | "uncertain" | "draft":
            return message.state, code
        case _:
            return message.state, ""


class Words(dict[str, object]):
    """Words for the gaps of an error text whose details were not kept."""

    def __missing__(self, key: str) -> str:
        return {"kind": "the analysis", "reason": "see the log", "status": "for good"}.get(key, key)
