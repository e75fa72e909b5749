"""JSON as transcription services return it. One small function per shape gives *turns*.

| shape | found by | unit |
|---|---|---|
| Deepgram | `results.utterances`, else `results.channels[].alternatives[]` | seconds |
| AWS Transcribe | `results.audio_segments`, else `results.items` with `speaker_labels` | seconds in strings |
| AssemblyAI | `utterances`, else `words`, beside `text` | milliseconds |
| Rev | `monologues[].elements[]` | seconds |
| Whisper, WhisperX, OpenAI diarized | `segments` | seconds |
| anything else | a list of objects with a text, alone or under a usual key | see `_unit` |

A turn's line is the number of its element in the list, from 1. Where a service gives the same words
twice (utterances and paragraphs, segments and words) only the first shape found is read.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from coachops.coaching.transcripts.collector import Collector
from coachops.coaching.transcripts.header_lines import find_date
from coachops.coaching.transcripts.model import LIMITS, Reason
from coachops.coaching.transcripts.timing import seconds_ms, span_of
from coachops.core.errors import CoachError

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
_JOIN_NEXT = frozenset(".,?!;:%…")


def load(text: str, name: str) -> Json:
    """The JSON value.

    Raises `COACH-TRN-010` for text that is not JSON, `-003` when it holds more objects and lists than
    the limit (counted before any is made).
    """
    if text.count("{") + text.count("[") > LIMITS.json_nodes:
        raise CoachError(
            "COACH-TRN-003", name=name, reason=f"more than {LIMITS.json_nodes} JSON elements"
        )
    try:
        return json.loads(text)
    except RecursionError as error:
        raise CoachError("COACH-TRN-010", name=name, reason="nested too deeply") from error
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}"
        raise CoachError("COACH-TRN-010", name=name, reason=reason) from error
    except ValueError as error:  # a number with thousands of digits
        raise CoachError("COACH-TRN-010", name=name, reason="a number is too long") from error


def parse(value: Json, into: Collector) -> dt.date | None:
    """Read the turns of a JSON value into the collector; the date where the file tells one.

    Raises `COACH-TRN-011` for a shape that is not known.
    """
    for shape in (_deepgram, _aws, _assemblyai, _rev, _whisper, _generic):
        found = shape(value)
        if found is not None:
            turns, unit = found
            for turn in turns:
                _give(turn, unit, into)
            break
    else:
        raise CoachError("COACH-TRN-011", name=into.name, reason=_describe(value))
    return _about(value, into)


def _give(turn: Turn, per_second: int, into: Collector) -> None:
    if turn.words is None:
        into.report(turn.line, Reason.NOT_AN_OBJECT, turn.raw)
        return
    span = span_of(seconds_ms(turn.start, per_second), seconds_ms(turn.end, per_second))
    into.candidate(turn.line, _label(turn.label), span, turn.words, raw=turn.words or turn.raw)


def _label(value: Json) -> str | None:
    """A label as people write it: numbers and single letters become "Speaker 0", "Speaker A"."""
    if isinstance(value, dict):
        value = _first(value, ("name", "display_name", "displayName", "label", "id"))
    if value is None or isinstance(value, bool | list | dict):
        return None
    text = str(value).strip()
    if not text:
        return None
    return f"Speaker {text}" if len(text) == 1 or text.isdecimal() else text[:200]


def _describe(value: Json) -> str:
    if isinstance(value, dict):
        return "an object without a list of spoken parts"
    if isinstance(value, list):
        return "a list whose elements have no text"
    return "neither an object nor a list"


def _about(value: Json, into: Collector) -> dt.date | None:
    if not isinstance(value, dict):
        return None
    title = _first(value, ("title", "jobName", "meeting_title", "topic"))
    if isinstance(title, str) and title.strip():
        into.title = title.strip()[:200]
    date = _first(
        value, ("date", "session_date", "started_at", "start_date", "created_at", "created")
    )
    return find_date(date) if isinstance(date, str) else None


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _first(element: dict[str, Json], keys: Iterable[str]) -> Json:
    return next((element[key] for key in keys if element.get(key) is not None), None)


Found = tuple[Iterable[Turn], int]


def _simple(
    elements: Iterable[Json], text: str, start: str, end: str, label: str
) -> Iterator[Turn]:
    """Turns of elements whose keys are known."""
    for line, element in enumerate(elements, start=1):
        words = _dict(element).get(text)
        if not isinstance(words, str):
            yield Turn(line, None, None, None, None, _raw(element))
        else:
            yield Turn(line, element.get(label), element.get(start), element.get(end), words)


def _raw(element: Json) -> str:
    return json.dumps(element, ensure_ascii=False)[:400] if not isinstance(element, list) else "[…]"


def _deepgram(value: Json) -> Found | None:
    results = _dict(_dict(value).get("results"))
    if utterances := _list(results.get("utterances")):
        return _simple(utterances, "transcript", "start", "end", "speaker"), 1
    channels = _list(results.get("channels"))
    if not channels:
        return None
    turns: list[Turn] = []
    for number, channel in enumerate(channels):
        best = _dict(next(iter(_list(_dict(channel).get("alternatives"))), None))
        label = None if len(channels) == 1 else f"Channel {number}"
        paragraphs = _list(_dict(best.get("paragraphs")).get("paragraphs"))
        if paragraphs:
            turns += _deepgram_paragraphs(paragraphs, label, len(turns))
        else:
            words = _list(best.get("words"))
            turns += _spoken(words, "punctuated_word", "word", label, len(turns))
    return (sorted(turns, key=_start_key) if len(channels) > 1 else turns), 1


def _deepgram_paragraphs(elements: list[Json], label: str | None, before: int) -> Iterator[Turn]:
    for line, element in enumerate(elements, start=before + 1):
        sentences = _list(_dict(element).get("sentences"))
        words = [_dict(sentence).get("text") for sentence in sentences]
        spoken = [word for word in words if isinstance(word, str)]
        if not words or len(spoken) < len(words):
            yield Turn(line, None, None, None, None, _raw(element))
            continue
        speaker = label if label is not None else element.get("speaker")
        yield Turn(line, speaker, element.get("start"), element.get("end"), " ".join(spoken))


def _start_key(turn: Turn) -> float:
    start = seconds_ms(turn.start)
    return float(start) if isinstance(start, int) else float("inf")


def _aws(value: Json) -> Found | None:
    results = _dict(_dict(value).get("results"))
    if segments := _list(results.get("audio_segments")):
        return _simple(segments, "transcript", "start_time", "end_time", "speaker_label"), 1
    items = _list(results.get("items"))
    if not items:
        return None
    spoken_by = {
        _dict(item).get("start_time"): _dict(item).get("speaker_label")
        for segment in _list(_dict(results.get("speaker_labels")).get("segments"))
        for item in _list(_dict(segment).get("items"))
        if isinstance(_dict(item).get("start_time"), str)
    }
    words = []
    for item in items:
        entry = _dict(item)
        best = _dict(next(iter(_list(entry.get("alternatives"))), None))
        start = entry.get("start_time")
        label = entry.get("speaker_label")
        if label is None and isinstance(start, str):
            label = spoken_by.get(start)
        words.append(
            {
                "text": best.get("content"),
                "start": start,
                "end": entry.get("end_time"),
                "speaker": label,
                "joined": entry.get("type") == "punctuation",
            }
        )
    return _spoken(words, "text", "text", None, 0), 1


def _assemblyai(value: Json) -> Found | None:
    whole = _dict(value)
    if "utterances" not in whole and not ("words" in whole and "text" in whole):
        return None
    if utterances := _list(whole.get("utterances")):
        first = _dict(utterances[0])
        if not isinstance(first.get("text"), str) or not isinstance(first.get("start"), int):
            return None
        if "audio_duration" not in whole and "words" not in first and "words" not in whole:
            return None  # not from this service: the unit must be found
        return _simple(utterances, "text", "start", "end", "speaker"), 1000
    words = _list(whole.get("words"))
    if not words or "segments" in whole or not isinstance(_dict(words[0]).get("start"), int):
        return None
    return _spoken(words, "text", "word", None, 0), 1000


def _rev(value: Json) -> Found | None:
    monologues = _list(_dict(value).get("monologues"))
    if not monologues:
        return None
    names = {
        str(_dict(speaker).get("id")): _dict(speaker).get("name")
        for speaker in _list(_dict(value).get("speakers"))
    }
    return _rev_turns(monologues, names), 1


def _rev_turns(monologues: list[Json], names: dict[str, Json]) -> Iterator[Turn]:
    for line, monologue in enumerate(monologues, start=1):
        elements = [_dict(element) for element in _list(_dict(monologue).get("elements"))]
        if not isinstance(monologue, dict) or "elements" not in monologue:
            yield Turn(line, None, None, None, None, _raw(monologue))
            continue
        starts = [element["ts"] for element in elements if element.get("ts") is not None]
        ends = [element["end_ts"] for element in elements if element.get("end_ts") is not None]
        words = "".join(str(element.get("value") or "") for element in elements)
        speaker = monologue.get("speaker")
        label = names.get(str(speaker)) or speaker
        yield Turn(line, label, starts[0] if starts else None, ends[-1] if ends else None, words)


def _whisper(value: Json) -> Found | None:
    segments = _list(_dict(value).get("segments"))
    starts = [_dict(segment).get("start") for segment in segments]
    if not any(isinstance(start, int | float) for start in starts):
        return None
    turns = [_generic_turn(line, segment) for line, segment in enumerate(segments, start=1)]
    if all(turn.words is None for turn in turns):
        return None
    certain = any(key in value for key in ("language", "task", "duration", "text"))
    return turns, 1 if certain else _unit(segments, turns)


def _spoken(
    words: list[Json], key: str, fallback: str, label: str | None, before: int
) -> Iterator[Turn]:
    """Single words joined to turns: a new one where the speaker changes.

    Without any speaker a new one starts after each sentence, so that citations stay short.
    """
    alone = label is None and not any(_dict(word).get("speaker") is not None for word in words)
    pieces: list[str] = []
    start: Json = None
    end: Json = None
    speaker: Json = label
    line = before + 1
    for number, word in enumerate(words, start=before + 1):
        entry = _dict(word)
        text = entry.get(key) if entry.get(key) is not None else entry.get(fallback)
        if not isinstance(text, str):
            yield Turn(number, None, None, None, None, _raw(word))
            continue
        joined = bool(entry.get("joined")) or text in _JOIN_NEXT
        told = entry.get("speaker") if label is None else label
        changed = told is not None and told != speaker and not joined
        ended = alone and not joined and pieces and pieces[-1][-1:] in {".", "?", "!"}
        if pieces and (changed or ended):
            yield Turn(line, speaker, start, end, "".join(pieces).strip())
            pieces, start, end = [], None, None
        if not pieces:
            line, start = number, entry.get("start")
        if told is not None and not joined:
            speaker = told
        end = entry.get("end") if entry.get("end") is not None else end
        pieces.append(text if joined else f" {text}")
    if pieces:
        yield Turn(line, speaker, start, end, "".join(pieces).strip())


def _generic(value: Json) -> Found | None:
    for elements in _lists(value):
        if any(_words(element) is not None for element in elements):
            turns = [_generic_turn(line, e) for line, e in enumerate(elements, start=1)]
            return turns, _unit(elements, turns)
    return None


def _lists(value: Json) -> Iterator[list[Json]]:
    """The value itself, or lists under a usual key, down to the third level."""
    level: list[Json] = [value]
    for _ in range(3):
        deeper: list[Json] = []
        for item in level:
            if isinstance(item, list):
                yield item
            inside = (_dict(item).get(key) for key in _LIST_KEYS)
            deeper.extend(found for found in inside if isinstance(found, list | dict))
        level = deeper


def _words(element: Json) -> str | None:
    return next((t for key in _TEXT_KEYS if isinstance(t := _dict(element).get(key), str)), None)


def _generic_turn(line: int, element: Json) -> Turn:
    words = _words(element)
    if words is None:
        return Turn(line, None, None, None, None, _raw(element))
    start, end = _first(element, _START_KEYS), _first(element, _END_KEYS)
    if end is None and isinstance(start, int | float):
        length = _first(element, ("duration", "duration_ms"))
        end = start + length if isinstance(length, int | float) else None
    return Turn(line, _first(element, _SPEAKER_KEYS), start, end, words)


def _unit(elements: list[Json], turns: list[Turn]) -> int:
    """Units per second: what a key says (`start_ms`), else what the numbers allow.

    Numbers with a fraction are seconds. Whole numbers are milliseconds when the typical cue would
    else last 200 seconds or more, or the recording longer than the limit.
    """
    if any(
        key.casefold().endswith("ms") for e in elements for key in _dict(e) if key in _TIME_KEYS
    ):
        return 1000
    times = [time for turn in turns for time in (turn.start, turn.end)]
    numbers = _finite([float(time) for time in times if isinstance(time, int | float)])
    if not numbers or any(not number.is_integer() for number in numbers):
        return 1
    lengths = [
        turn.end - turn.start
        for turn in turns
        if isinstance(turn.start, int | float) and isinstance(turn.end, int | float)
    ]
    starts = [turn.start for turn in turns if isinstance(turn.start, int | float)]
    lengths = lengths or [b - a for a, b in itertools.pairwise(starts)]
    typical = statistics.median(_finite(lengths) or [0])
    return 1000 if typical >= 200 or max(numbers) > LIMITS.duration_ms / 1000 else 1


_TIME_KEYS = frozenset(_START_KEYS + _END_KEYS)


def _finite(numbers: list[float]) -> list[float]:
    return [n for n in numbers if math.isfinite(n)]
