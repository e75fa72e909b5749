"""The kinds of things that wait for a person, with what to do about each; the most pressing first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coachops.dashboards.components import Tone


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that waits.

    Attributes:
        title: in a few words; `meaning` in a sentence.
        next_step: what to do, and who.
        tone: how pressing it is.
        code: of the catalogue, where each of them has the same.
        again: whether an admin can start the analysis again from here.
    """

    title: str
    meaning: str
    next_step: str
    tone: Tone
    code: str = ""
    again: bool = False


KINDS: Final[dict[str, Kind]] = {
    "uncertain": Kind(
        "Sending uncertain",
        "The mail server's answer was lost, so nobody knows whether the follow-up arrived.",
        "The coach asks the client, then settles it in the workspace. It is not sent twice.",
        "bad",
    ),
    "send_failed": Kind(
        "Follow-up not sent",
        "It could not be handed over. Nothing has gone out.",
        "The coach tries again in the workspace once this is mended.",
        "bad",
    ),
    "analysis_failed": Kind(
        "Analysis failed",
        "The transcripts are safe; they have no analysis.",
        "Analyse again once this is mended.",
        "bad",
        again=True,
    ),
    "webhook_off": Kind(
        "Webhook switched off",
        "Its receiver answered that it is gone, or accepted nothing for days, or a backup was restored. "
        "It is told of nothing.",
        "Mend the receiver, or see that it is still wanted; then run 'coachops webhook enable' and "
        "'coachops webhook test'.",
        "bad",
        "COACH-WHK-004",
    ),
    "webhook_failing": Kind(
        "Webhook failing",
        "Its receiver has accepted nothing for an hour; it is tried again for three days.",
        "See what it answers with 'coachops webhook deliveries', and mend the receiver.",
        "warn",
        "COACH-WHK-008",
    ),
    "stuck": Kind(
        "Stuck in background work",
        "Analysis or sending has not moved for ten minutes.",
        "Check below that a worker is running; a running worker takes it up again by itself.",
        "warn",
        again=True,
    ),
    "roles": Kind(
        "Speakers to confirm",
        "It is not certain who is the coach and who is the client, so nothing is analysed.",
        "The coach confirms or swaps the speakers in the workspace.",
        "warn",
        "COACH-CCH-003",
    ),
    "consent": Kind(
        "Analysis waits for consent",
        "A transcript is there, but the client has not agreed to its analysis.",
        "The coach asks the client and records the answer in the workspace.",
        "warn",
        "COACH-CCH-002",
    ),
    "no_consent": Kind(
        "Clients without consent",
        "Clients of running engagements for whom no consent to processing is in force.",
        "Ask the client before the next session; the coach records it in the workspace.",
        "info",
        "COACH-CCH-002",
    ),
    "old_draft": Kind(
        "Drafts older than a week",
        "Follow-ups that nobody has approved yet. They go out only when their coach says so.",
        "Remind the coach to approve them in the workspace, or to leave them unsent.",
        "info",
    ),
}
