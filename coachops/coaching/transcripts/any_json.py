"""JSON of a shape that no service is known by: a list of objects with a text, wherever it lies.

Also what the readers of known shapes share: the *turn*, and looking into values of unknown type.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from coachops.coaching.transcripts.model import LIMITS

Json = Any  # what json.loads gives: checked where it is used


@dataclass(frozen=True, slots=True)
class Turn:
    """A candidate: element number, label, times as they stand in the file, words.

    `words` None means that the element is not an object with text.
    """

    line: int
    label: Json
    start: Json
    end: Json
    words: str | None
    raw: str = ""


_SPEAKER_KEYS = (
    "speaker", "speaker_name", "speakerName", "speaker_label", "speakerLabel", "speaker_id",
    "speakerId", "name", "participant", "participant_name", "user", "author", "role", "from",
)  # fmt: skip
_TEXT_KEYS = ("text", "transcript", "content", "words", "sentence", "message", "body", "caption")
_START_KEYS = (
    "start", "start_time", "startTime", "start_ms", "startMs", "begin", "start_timestamp",
    "timestamp", "time", "ts", "offset", "offset_ms",
)  # fmt: skip
_END_KEYS = ("end", "end_time", "endTime", "end_ms", "endMs", "stop", "end_timestamp", "end_ts")
_LIST_KEYS = (
    "utterances", "segments", "cues", "transcript", "turns", "entries", "sentences", "messages",
    "conversation", "dialogue", "dialog", "captions", "paragraphs", "monologues", "results",
    "items", "phrases", "data",
)  # fmt: skip
_TIME_KEYS = frozenset(_START_KEYS + _END_KEYS)

Found = tuple[Iterable[Turn], int]
"""Turns, and how many units of their times make a second."""


def as_dict(value: Json) -> dict[str, Json]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def first_of(element: dict[str, Json], keys: Iterable[str]) -> Json:
    """What stands under the first of `keys` that holds something, else None."""
    return next((element[key] for key in keys if element.get(key) is not None), None)


def excerpt(element: Json) -> str:
    """The beginning of an element that cannot be read, for the report."""
    return json.dumps(element, ensure_ascii=False)[:400] if not isinstance(element, list) else "[…]"


def any_list(value: Json) -> Found | None:
    """The turns of the first list that holds objects with a text; None where there is none."""
    for elements in _lists(value):
        if any(_words(element) is not None for element in elements):
            turns = [any_turn(line, e) for line, e in enumerate(elements, start=1)]
            return turns, unit_of(elements, turns)
    return None


def _lists(value: Json) -> Iterator[list[Json]]:
    """The value itself, or lists under a usual key, down to the third level."""
    level: list[Json] = [value]
    for _ in range(3):
        deeper: list[Json] = []
        for item in level:
            if isinstance(item, list):
                yield item
            inside = (as_dict(item).get(key) for key in _LIST_KEYS)
            deeper.extend(found for found in inside if isinstance(found, list | dict))
        level = deeper


def _words(element: Json) -> str | None:
    return next((t for key in _TEXT_KEYS if isinstance(t := as_dict(element).get(key), str)), None)


def any_turn(line: int, element: Json) -> Turn:
    """An object as a turn, its keys being any of the usual ones."""
    words = _words(element)
    if words is None:
        return Turn(line, None, None, None, None, excerpt(element))
    start, end = first_of(element, _START_KEYS), first_of(element, _END_KEYS)
    if end is None and isinstance(start, int | float):
        length = first_of(element, ("duration", "duration_ms"))
        end = _float(start) + _float(length) if isinstance(length, int | float) else None
    return Turn(line, first_of(element, _SPEAKER_KEYS), start, end, words)


def unit_of(elements: list[Json], turns: list[Turn]) -> int:
    """Units per second: what a key says (`start_ms`), else what the numbers allow.

    Numbers with a fraction are seconds. Whole numbers are milliseconds when the typical cue would
    else last 200 seconds or more, or the recording longer than the limit.
    """
    if any(
        key.casefold().endswith("ms") for e in elements for key in as_dict(e) if key in _TIME_KEYS
    ):
        return 1000
    times = [time for turn in turns for time in (turn.start, turn.end)]
    numbers = _finite([_float(time) for time in times if isinstance(time, int | float)])
    if not numbers or any(not number.is_integer() for number in numbers):
        return 1
    lengths = [
        _float(turn.end) - _float(turn.start)
        for turn in turns
        if isinstance(turn.start, int | float) and isinstance(turn.end, int | float)
    ]
    starts = [_float(turn.start) for turn in turns if isinstance(turn.start, int | float)]
    lengths = lengths or [b - a for a, b in itertools.pairwise(starts)]
    typical = statistics.median(_finite(lengths) or [0])
    return 1000 if typical >= 200 or max(numbers) > LIMITS.duration_ms / 1000 else 1


def _float(number: float) -> float:
    """The number; one too large for a float is infinite, and so no time."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _finite(numbers: list[float]) -> list[float]:
    return [n for n in numbers if math.isfinite(n)]
