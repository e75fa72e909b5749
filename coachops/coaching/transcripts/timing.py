"""Times as transcripts write them, in milliseconds from the start of the recording.

`Span` carries either usable times or the reason why the candidate must be reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from coachops.coaching.transcripts.model import LIMITS, Reason

# Hours may have any length (WebVTT); the fraction is decimal: ".2" is 200 ms (Teams writes 0:0:3.2).
_CLOCK = re.compile(
    r"(?:(?P<h>[0-9]{1,18}):)?(?P<m>[0-9]{1,2}):(?P<s>[0-9]{1,2})(?:[.,](?P<f>[0-9]{1,3}))?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ARROW = "-->"
_SETTINGS = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*:[^\s:]\S*(?:[ \t]+|$))*")


@dataclass(frozen=True, slots=True)
class Span:
    """Start and end in milliseconds, None where not told; `problem` says why they cannot be."""

    start_ms: int | None = None
    end_ms: int | None = None
    problem: Reason | None = None


UNTIMED = Span()


def clock_ms(text: str) -> int | Reason:
    """Milliseconds of `H:MM:SS.fff`, `MM:SS` or a time of day with AM/PM, or what is wrong."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return Reason.BAD_TIME
    hours, minutes, seconds = match["h"], int(match["m"]), int(match["s"])
    if match["half"] is not None:
        if hours is None:  # "10:03 AM" is hours and minutes
            hours, minutes, seconds = match["m"], seconds, 0
        hour = int(hours) % 12 + (12 if match["half"] in "Pp" else 0)
    else:
        hour = int(hours) if hours else 0
    if seconds > 59 or (hours is not None and minutes > 59):
        return Reason.BAD_TIME
    if hour >= LIMITS.absurd_hour:
        return Reason.ABSURD_HOUR
    return ((hour * 60 + minutes) * 60 + seconds) * 1000 + int((match["f"] or "0").ljust(3, "0"))


def span_of(start: int | Reason | None, end: int | Reason | None) -> Span:
    """A span of two times that were read, with the first problem found."""
    if isinstance(start, Reason):
        return Span(problem=start)
    if isinstance(end, Reason):
        return Span(problem=end)
    if start is not None and end is not None and end < start:
        return Span(problem=Reason.END_BEFORE_START)
    return Span(start, end)


def clock_span(start: str, end: str | None = None) -> Span:
    """The span of one or two written times."""
    return span_of(clock_ms(start), None if end is None else clock_ms(end))


def timing_line(line: str) -> tuple[Span, str] | None:
    """Read `start --> end settings`; None when the line has no arrow.

    Returns the span and the words behind it, if any: WebVTT settings and SRT coordinates are
    dropped, anything else that follows is kept because somebody may have said it.
    """
    left, arrow, right = line.partition(_ARROW)
    if not arrow:
        return None
    right = right.strip()
    match = _CLOCK.match(right)
    if match is None or (match.end() < len(right) and not right[match.end()].isspace()):
        return Span(problem=Reason.BAD_TIME), ""
    rest = right[match.end() :].strip()
    rest = rest[_SETTINGS.match(rest).end() :]  # type: ignore[union-attr] # it matches the empty string
    return clock_span(left, match.group()), rest


_ATTEMPT = re.compile(r"\s*[-+\[(]?[0-9]*:[0-9]*")
_ANY_ARROW = re.compile(r"[-\u2013\u2014]\s{0,3}>|\u2192|=>|--&gt;")
_WORD = re.compile(r"[^\W\d_]{2,}")


def looks_like_timing(line: str) -> bool:
    """Whether the line was meant as a time line: an arrow of any kind beside something timed.

    A line of words that happens to hold an arrow is not.
    """
    match = _ANY_ARROW.search(line)
    if match is None:
        return False
    left, right = line[: match.start()], line[match.end() :]
    timed = _ATTEMPT.match(left) is not None or _ATTEMPT.match(right) is not None
    return timed and len(_WORD.findall(line)) <= 2


def is_arrow_debris(line: str) -> bool:
    """Whether the line holds a `-->` and hardly a word: neither a time line nor speech."""
    return _ARROW in line and len(_WORD.findall(line)) < 2


def seconds_ms(value: object, per_second: int = 1) -> int | Reason | None:
    """Milliseconds of a number (or number in a string, or clock time) of a JSON file.

    Parameters:
        per_second: how many units a second has: 1 for seconds, 1000 for milliseconds.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        text = value.strip().removesuffix("s")
        if ":" in text:
            return clock_ms(text)
        try:
            value = float(text)
        except ValueError:
            return Reason.BAD_TIME
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reason.BAD_TIME
    if not 0 <= value < LIMITS.absurd_hour * 3600 * per_second:  # also refuses NaN
        return Reason.ABSURD_HOUR if value > 0 else Reason.BAD_TIME
    return round(value * 1000 / per_second)
