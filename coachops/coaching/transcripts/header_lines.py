"""Lines of a text or document that are about the session, not part of it: title, date, notices."""

from __future__ import annotations

import datetime as dt
import re

from coachops.coaching.transcripts import labels

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar",
            "feb february februar",
            "mar march märz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"(?<!\d)(?P<y>20\d\d)[-./_](?P<m>[01]?\d)[-./_](?P<d>[0-3]?\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<d>[0-3]?\d)\.\s?(?P<m>[01]?\d)\.\s?(?P<y>20\d\d)(?!\d)"),
    re.compile(
        rf"(?<!\d)(?P<d>[0-3]?\d)(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<n>{_MONTH})\.?,?\s(?P<y>20\d\d)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<n>{_MONTH})\.?\s(?P<d>[0-3]?\d)(?:st|nd|rd|th)?,?\s(?P<y>20\d\d)", re.IGNORECASE
    ),
)
_NOTICE = re.compile(
    r"transcription (?:ended|started|stopped)(?: after [0-9:]+)?\.?"
    r"|transcribed by https?://\S+"
    r"|this editable transcript was computer generated\b.{0,120}"
    r"|[-=_*#~]{3,}",
    re.IGNORECASE,
)
_WHO_STARTED = re.compile(
    r"(?P<who>[^:]{1,60}?) (?:has )?(?:started|stopped) (?:the )?(?:transcription|recording)\.?"
)
_LENGTH = re.compile(
    r"(?:[0-9]{1,3}\s?(?:h|hr|hours?|m|min|mins|minutes|s|sec|seconds)\.?\s?){1,3}", re.IGNORECASE
)
_FIELD = re.compile(
    r"(?P<key>title|titel|topic|thema|subject|meeting|session|date|datum|time|uhrzeit|duration|dauer|"
    r"participants|attendees|teilnehmende|teilnehmer|location|ort|recorded|recording|language|"
    r"source|file|created|transcript|transcription|host|started|ended|link|url)"
    r"(?: on| at| by| id| name)?\s*[:\uff1a]\s*(?P<value>.*)",
    re.IGNORECASE,
)
_TITLE_CHARACTERS = 120
# What Teams appends to the name of a meeting: "-20261012_090000-Meeting Recording".
_RECORDED = re.compile(r"[-_ ]*20[0-9]{6}[_-][0-9]{6}.*$")
_NOT_TITLE = re.compile(
    r"[0-9:.]+|(?<![A-Za-z])(?:am|pm|uhr|utc|gmt|at|um|mon|tue|tues|wed|wednes|thu|thurs|fri|sat|"
    r"satur|sun)(?:day)?(?![A-Za-z])",
    re.IGNORECASE,
)


def find_date(text: str) -> dt.date | None:
    """The first date written so that day and month cannot be confused."""
    for pattern in _DATES:
        for match in pattern.finditer(text[:400]):
            parts = match.groupdict()
            month = int(parts["m"]) if "m" in parts else _MONTHS[parts["n"].casefold()]
            try:
                return dt.date(int(parts["y"]), month, int(parts["d"]))
            except ValueError:
                continue
    return None


def is_notice(line: str) -> bool:
    """Whether the line is written by the tool, wherever it stands: "Anna Berg started transcription".

    What a person says about it ("I started recording") is no notice.
    """
    line = line.strip()
    if _NOTICE.fullmatch(line):
        return True
    match = _WHO_STARTED.fullmatch(line)
    return (
        match is not None and labels.name_like(match["who"]) and not labels.is_opener(match["who"])
    )


def is_heading(line: str) -> bool:
    """Whether a line before the first speaker is about the session: a field, a date, a duration."""
    line = line.strip().lstrip("#").strip(" *_")
    if not line or is_notice(line) or line.casefold() == "transcript":
        return True
    return bool(_FIELD.fullmatch(line) or _LENGTH.fullmatch(line)) or _is_date(line)


def title_of(line: str) -> str | None:
    """The title, where the line could be one."""
    bare = line.strip().lstrip("#").strip(" *_")
    match = _FIELD.fullmatch(bare)
    if match is not None:
        key = match["key"].casefold()
        return (
            (match["value"].strip() or None)
            if key in {"title", "titel", "topic", "thema", "subject", "meeting", "session"}
            else None
        )
    if len(bare) > 4 * _TITLE_CHARACTERS:
        return None
    bare = _RECORDED.sub("", bare)
    if not 0 < len(bare) <= _TITLE_CHARACTERS or bare[-1] in ".?!,;:" or is_notice(bare):
        return None
    return None if bare.casefold() == "transcript" or _is_date(bare) else bare


def _is_date(line: str) -> bool:
    """Whether the line is nothing but a date, perhaps with the day of the week and the time."""
    if len(line) > _TITLE_CHARACTERS:
        return False
    for pattern in _DATES:
        line, found = pattern.subn("", line, count=1)
        if found:
            return _NOT_TITLE.sub("", line).strip(" ,.-:") == ""
    return False
