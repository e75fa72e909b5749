"""When a next step is due, from the words said: never a date that nobody named.

`find_due` returns the literal phrase and, where the phrase names a day, its date counted from the
day of the session. What we decided where speech is vague:

- a weekday is the next one after the session day, never the day itself; "next Friday" is the Friday
  of the following week (weeks run from Monday to Sunday);
- "end of the week" is that week's Friday, or its Sunday where Friday is past; "the weekend" is its
  Sunday; "end of the day" is the session day;
- "next week", "this week", "next month", "a couple of weeks", "before our next session" name no day:
  the phrase is kept, the date stays empty;
- a day of a month without a year is the next one on or after the session day;
- "every Friday", "last Friday", "not this Friday", "after Friday" and "the Friday meeting" are no due
  date.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from typing import NamedTuple

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: n for n, word in enumerate((*_COUNTED, "eleven", "twelve"), start=1)}
_NUMBERS |= {"a": 1, "an": 1}

_DAY = "|".join(WEEKDAYS)
_MONTH = "|".join((*MONTHS, *(month[:3] + r"\.?" for month in MONTHS), r"sept\.?"))
_NUMBER = r"\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
_PREP = r"(?:by|on|before|until|till|for|from|starting|no later than|at the latest by)\s+"
_ORD = r"(?:st|nd|rd|th)"
_PART_OF_DAY = r"(?:\s+(?:morning|afternoon|evening|night|lunchtime|at\s+noon))?"


class Due(NamedTuple):
    """A due phrase as spoken and the day it names, if it names one."""

    phrase: str
    date: dt.date | None


def _safe(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _plus(day: dt.date, days: int) -> dt.date | None:
    try:
        return day + dt.timedelta(days=days)
    except OverflowError:
        return None


def _month_later(day: dt.date, months: int) -> dt.date | None:
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        return None
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _weekday(match: re.Match[str], day: dt.date) -> dt.date | None:
    wanted = WEEKDAYS.index(match["day"].lower())
    if (match["which"] or "").lower().startswith("next"):
        return _plus(day, 7 - day.weekday() + wanted)
    return _plus(day, (wanted - day.weekday() - 1) % 7 + 1)


def _amount(match: re.Match[str], day: dt.date) -> dt.date | None:
    said = match["n"].lower()
    amount = int(said) if said.isdigit() else _NUMBERS[said]
    unit = match["unit"].lower()
    if unit.startswith("day"):
        return _plus(day, amount)
    if unit.startswith("week"):
        return _plus(day, 7 * amount)
    return _month_later(day, amount * (12 if unit.startswith("year") else 1))


def _end_of(match: re.Match[str], day: dt.date) -> dt.date | None:
    what = match["what"].lower()
    later = (match["which"] or "").lower() == "next"
    if what == "day":
        return day
    if what == "week":
        monday = _plus(day, -day.weekday() + (7 if later else 0))
        friday = _plus(monday, 4) if monday else None
        return friday if friday is None or friday >= day else _plus(friday, 2)
    if what == "year":
        return _safe(day.year + later, 12, 31)
    base: dt.date | None = day
    if what == "quarter":
        base = _month_later(day.replace(day=1), (2 - (day.month - 1) % 3) + (3 if later else 0))
    elif what == "month":
        base = _month_later(day.replace(day=1), int(later))
    else:
        month = _month_number(what)
        base = _safe(day.year + (month < day.month), month, 1)
    if base is None:
        return None
    return base.replace(day=calendar.monthrange(base.year, base.month)[1])


def _month_number(name: str) -> int:
    return next(n for n, month in enumerate(MONTHS, start=1) if month.startswith(name[:3].lower()))


def _month_day(match: re.Match[str], day: dt.date) -> dt.date | None:
    month, number = _month_number(match["month"]), int(match["d"])
    if match["year"]:
        return _safe(int(match["year"]), month, number)
    this_year = _safe(day.year, month, number)
    if this_year is not None and this_year >= day:
        return this_year
    return _safe(day.year + 1, month, number)


def _day_of_month(match: re.Match[str], day: dt.date) -> dt.date | None:
    number = int(match["d"])
    for ahead in range(13):
        first = _month_later(day.replace(day=1), ahead)
        found = _safe(first.year, first.month, number) if first else None
        if found is not None and found >= day:
            return found
    return None


def _iso(match: re.Match[str], day: dt.date) -> dt.date | None:
    del day
    return _safe(int(match["y"]), int(match["m"]), int(match["d"]))


def _weekend(match: re.Match[str], day: dt.date) -> dt.date | None:
    later = (match["which"] or "").lower() == "next"
    return _plus(day, 6 - day.weekday() + (7 if later else 0))


def _no_day(match: re.Match[str], day: dt.date) -> dt.date | None:
    del match, day
    return None


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str], dt.date], dt.date | None]]


def _rule(pattern: str, day_of: Callable[[re.Match[str], dt.date], dt.date | None]) -> _Rule:
    return re.compile(rf"(?<![\w'\u2019])(?:{pattern})(?![\w])", re.IGNORECASE), day_of


# The longer wording stands before the shorter one that it contains.
_RULES: tuple[_Rule, ...] = (
    _rule(rf"(?:{_PREP})?(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}})", _iso),
    _rule(
        rf"(?:{_PREP})?(?:the\s+)?(?P<d>\d{{1,2}}){_ORD}?\s+(?:of\s+)?(?P<month>{_MONTH})"
        # "those 3 may help" names no day.
        r"(?<!\d\smay(?=\s(?!and\b|i\b|at\b|or\b)[a-z]))(?:,?\s+(?P<year>\d{4}))?",
        _month_day,
    ),
    _rule(
        rf"(?:{_PREP})?(?P<month>{_MONTH})\s+(?:the\s+)?(?P<d>\d{{1,2}}){_ORD}?"
        r"(?:,?\s+(?P<year>\d{4}))?(?!\s*(?:percent|%|:))",
        _month_day,
    ),
    _rule(
        rf"(?:by|before|at|until)\s+(?:the\s+)?end\s+of\s+(?:(?P<which>this|the|next)\s+)?"
        rf"(?P<what>day|week|month|quarter|year|{_MONTH})",
        _end_of,
    ),
    _rule(
        r"(?:by|before|until|till|in|at|for|between\s+now\s+and|ahead\s+of)\s+(?:our|the|my)\s+"
        r"(?:next|following)\s+(?:session|meeting|call|conversation|appointment|talk|chat)",
        _no_day,
    ),
    _rule(
        r"(?:before|until|till|by\s+the\s+time|when)\s+we\s+(?:next\s+)?(?:meet|talk|speak|see\s+each\s+"
        r"other)(?:\s+(?:again|next|next\s+time))?|(?:by|before|until|for)\s+(?:the\s+)?next\s+(?:time|"
        r"session|meeting|call)",
        _no_day,
    ),
    _rule(
        r"(?:by\s+|before\s+|until\s+)?the\s+day\s+after\s+tomorrow", lambda _, day: _plus(day, 2)
    ),
    _rule(
        rf"(?:{_PREP})?(?:first\s+thing\s+)?tomorrow{_PART_OF_DAY}", lambda _, day: _plus(day, 1)
    ),
    _rule(
        rf"(?:{_PREP}|later\s+)?(?:today|tonight|this\s+(?:morning|afternoon|evening))",
        lambda _, day: day,
    ),
    _rule(
        rf"(?:in|within)\s+(?:the\s+next\s+)?(?P<n>{_NUMBER})\s+(?:more\s+)?"
        r"(?P<unit>days?|weeks?|months?|years?)(?:['\u2019]s?\s+time)?",
        _amount,
    ),
    _rule(
        rf"(?P<n>{_NUMBER})\s+(?P<unit>days?|weeks?|months?|years?)\s+from\s+(?:now|today)", _amount
    ),
    _rule(
        r"(?:in|within)\s+(?:the\s+next\s+)?(?:a\s+)?(?:couple\s+of|few|several)\s+(?:days|weeks|months)",
        _no_day,
    ),
    _rule(
        r"(?:by|over|at|on|during|before|for)?\s*(?:the\s+|(?P<which>this|next)\s+)(?:coming\s+)?weekend",
        _weekend,
    ),
    _rule(
        rf"(?:{_PREP})?(?P<which>this\s+coming|this|next|coming|the\s+coming)\s+(?P<day>{_DAY})"
        rf"{_PART_OF_DAY}",
        _weekday,
    ),
    _rule(rf"{_PREP}(?P<which>)(?P<day>{_DAY}){_PART_OF_DAY}", _weekday),
    _rule(
        rf"(?<!the\s)(?<!our\s)(?<!my\s)(?<!every\s)(?<!each\s)(?<!last\s)(?<!a\s)(?<!your\s)(?<!other\s)"
        rf"(?P<which>)(?P<day>{_DAY})(?:\s+(?:morning|afternoon|evening|night)|(?=\s+at\b)|"
        r"(?=\s*(?:[.,;!?]|$)))",
        _weekday,
    ),
    _rule(rf"(?:by|on|before|until)\s+the\s+(?P<d>\d{{1,2}}){_ORD}", _day_of_month),
    _rule(
        r"(?:by\s+|before\s+|during\s+|over\s+|in\s+|sometime\s+|early\s+|later\s+)?"
        r"(?:the\s+)?(?:next|this|the\s+coming)\s+(?:week|month|quarter|year)",
        _no_day,
    ),
)
_HINT = re.compile(
    rf"day|tonight|tomorrow|morning|afternoon|evening|week|month|quarter|year|session|meet|call|next|"
    rf"talk|speak|chat|see each|conversation|appointment|\d|{'|'.join(month[:3] for month in MONTHS)}",
    re.IGNORECASE,
)
# "every Friday", "not this Sunday", "after Thursday", and "what we discussed today".
_NOT_A_DUE = re.compile(
    r"(?:every|(?:not|after)(?:\s+(?:this|next|on))?|each|last|past|discussed|said|covered|learned|learnt|mentioned|shared|(?:talked|spoke)"
    r"\s+about|worked\s+on|did)\s+$",
    re.IGNORECASE,
)
# "less than seven in a week" is a rate.
_RATE = re.compile(
    r"(?:\d|times|once|twice|hours|days|more|less|than\s+\w+)\s+in\s+an?\s", re.IGNORECASE
)


def find_due(text: str, session_date: dt.date) -> Due | None:
    """The first due phrase in `text`, literal, with the day it names counted from `session_date`."""
    if not _HINT.search(text):
        return None
    best: re.Match[str] | None = None
    day_of: Callable[[re.Match[str], dt.date], dt.date | None] = _no_day
    for pattern, rule in _RULES:
        for match in pattern.finditer(text):
            begin = max(0, match.start() - 20)
            if _NOT_A_DUE.search(text, begin, match.start()) or _RATE.search(
                text, begin, match.end()
            ):
                continue
            if best is None or match.start() < best.start():
                best, day_of = match, rule
            break
    if best is None:
        return None
    phrase = best.group().strip()
    try:
        return Due(phrase, day_of(best, session_date))
    except ValueError:
        return Due(phrase, None)
