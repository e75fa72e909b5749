"""The words of the workspace: states, dates and lengths as a coach says them."""

from __future__ import annotations

import datetime as dt
from typing import Final

from coachops.dashboards.components import Tone

State = tuple[str, Tone]

NO_TRANSCRIPT: Final[State] = ("No transcript", "neutral")
TRANSCRIPT: Final[dict[str, State]] = {
    "imported": ("Waiting for analysis", "info"),
    "analysing": ("Analysing", "info"),
    "analysed": ("Analysed", "ok"),
    "waiting_roles": ("Who is who?", "warn"),
    "waiting_consent": ("Consent missing", "warn"),
    "failed": ("Analysis failed", "bad"),
}
MESSAGE: Final[dict[str, State]] = {
    "draft": ("Follow-up to approve", "warn"),
    "approved": ("Follow-up on its way", "info"),
    "sending": ("Follow-up on its way", "info"),
    "sent": ("Follow-up sent", "ok"),
    "uncertain": ("Sending uncertain", "warn"),
    "failed": ("Sending failed", "bad"),
    "returned": ("Follow-up came back", "bad"),
}
PENDING: Final = frozenset({"imported", "analysing"})
"""States of a transcript in which background work will change it."""

BEHAVIOURS: Final[dict[str, str]] = {
    "question": "Question",
    "reflection": "Reflection",
    "input": "Input",
    "other": "Other",
}
CONSENTS: Final[dict[str, tuple[str, str]]] = {
    "processing": (
        "Analysis on our own computers",
        "The transcript may be kept and analysed here. Nothing leaves this installation.",
    ),
    "external_ai": (
        "Analysis by an external AI service",
        "The words may be sent to the AI service that your organisation uses. Names are replaced "
        "before they leave.",
    ),
}


def session_state(transcript_state: str | None, message_state: str | None) -> State:
    """What matters most about a session, in two or three words."""
    if transcript_state is None:
        return NO_TRANSCRIPT
    if transcript_state == "analysed" and message_state is not None:
        return MESSAGE[message_state]
    return TRANSCRIPT[transcript_state]


def day(date: dt.date) -> str:
    """`Tue 17 Nov 2026`."""
    return f"{date:%a} {date.day} {date:%b %Y}"


def ago(date: dt.date, today: dt.date) -> str:
    """How long ago a day was, as people say it."""
    days = (today - date).days
    if days < 0:
        return day(date)
    if days < 2:
        return ("today", "yesterday")[days]
    if days < 14:
        return f"{days} days ago"
    if days < 60:
        return f"{days // 7} weeks ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


def due(date: dt.date | None, phrase: str | None, today: dt.date) -> str:
    """When a next step is due, empty where nobody said."""
    if date is None:
        return f"said: \u201c{phrase}\u201d" if phrase else ""
    late = " (overdue)" if date < today else ""
    return f"by {day(date)}{late}"


def length(milliseconds: int | None) -> str:
    """`42 min`, empty where unknown."""
    if not milliseconds:
        return ""
    minutes = max(1, round(milliseconds / 60_000))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: list[str]) -> str:
    """The parts that are not empty, separated by dots."""
    return " \u00b7 ".join(part for part in parts if part)


def greeting(now: dt.datetime, name: str) -> str:
    """`Good morning, Ada`; `now` in the organisation's time zone."""
    hour = now.hour
    part = "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return f"Good {part}, {name.split(maxsplit=1)[0] if name.split() else name}"


def initials(name: str) -> str:
    """One or two letters for a client's mark."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(
        word[0].upper() for word in (words[:1] + words[-1:] if len(words) > 1 else words)
    )
