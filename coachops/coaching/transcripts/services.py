"""JSON as transcription services return it. One small function per shape gives *turns*.

| shape | found by | unit |
|---|---|---|
| Deepgram | `results.utterances`, else `results.channels[].alternatives[]` | seconds |
| AWS Transcribe | `results.audio_segments`, else `results.items` with `speaker_labels` | seconds in strings |
| AssemblyAI | `utterances`, else `words`, beside `text` | milliseconds |
| Rev | `monologues[].elements[]` | seconds |
| Whisper, WhisperX, OpenAI diarized | `segments` | seconds |
| anything else | a list of objects with a text, alone or under a usual key | see `unit_of` |

A turn's line is the number of its element in the list, from 1. Where a service gives the same words
twice (utterances and paragraphs, segments and words) only the first shape found is read.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator

from coachops.coaching.transcripts.any_json import (
    Found,
    Json,
    Turn,
    any_list,
    any_turn,
    as_dict,
    as_list,
    excerpt,
    first_of,
    unit_of,
)
from coachops.coaching.transcripts.collector import Collector
from coachops.coaching.transcripts.header_lines import find_date
from coachops.coaching.transcripts.model import LIMITS, Reason
from coachops.coaching.transcripts.timing import seconds_ms, span_of
from coachops.core.errors import CoachError

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
    for shape in (_deepgram, _aws, _assemblyai, _rev, _whisper, any_list):
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
        value = first_of(value, ("name", "display_name", "displayName", "label", "id"))
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
    title = first_of(value, ("title", "jobName", "meeting_title", "topic"))
    if isinstance(title, str) and title.strip():
        into.title = title.strip()[:200]
    date = first_of(
        value, ("date", "session_date", "started_at", "start_date", "created_at", "created")
    )
    return find_date(date) if isinstance(date, str) else None


def _simple(
    elements: Iterable[Json], text: str, start: str, end: str, label: str
) -> Iterator[Turn]:
    """Turns of elements whose keys are known."""
    for line, element in enumerate(elements, start=1):
        words = as_dict(element).get(text)
        if not isinstance(words, str):
            yield Turn(line, None, None, None, None, excerpt(element))
        else:
            yield Turn(line, element.get(label), element.get(start), element.get(end), words)


def _deepgram(value: Json) -> Found | None:
    results = as_dict(as_dict(value).get("results"))
    if utterances := as_list(results.get("utterances")):
        return _simple(utterances, "transcript", "start", "end", "speaker"), 1
    channels = as_list(results.get("channels"))
    if not channels:
        return None
    turns: list[Turn] = []
    for number, channel in enumerate(channels):
        best = as_dict(next(iter(as_list(as_dict(channel).get("alternatives"))), None))
        label = None if len(channels) == 1 else f"Channel {number}"
        paragraphs = as_list(as_dict(best.get("paragraphs")).get("paragraphs"))
        if paragraphs:
            turns += _deepgram_paragraphs(paragraphs, label, len(turns))
        else:
            words = as_list(best.get("words"))
            turns += _spoken(words, "punctuated_word", "word", label, len(turns))
    return (sorted(turns, key=_start_key) if len(channels) > 1 else turns), 1


def _deepgram_paragraphs(elements: list[Json], label: str | None, before: int) -> Iterator[Turn]:
    for line, element in enumerate(elements, start=before + 1):
        sentences = as_list(as_dict(element).get("sentences"))
        words = [as_dict(sentence).get("text") for sentence in sentences]
        spoken = [word for word in words if isinstance(word, str)]
        if not words or len(spoken) < len(words):
            yield Turn(line, None, None, None, None, excerpt(element))
            continue
        speaker = label if label is not None else element.get("speaker")
        yield Turn(line, speaker, element.get("start"), element.get("end"), " ".join(spoken))


def _start_key(turn: Turn) -> float:
    start = seconds_ms(turn.start)
    return float(start) if isinstance(start, int) else float("inf")


def _aws(value: Json) -> Found | None:
    results = as_dict(as_dict(value).get("results"))
    if segments := as_list(results.get("audio_segments")):
        return _simple(segments, "transcript", "start_time", "end_time", "speaker_label"), 1
    items = as_list(results.get("items"))
    if not items:
        return None
    spoken_by = {
        as_dict(item).get("start_time"): as_dict(item).get("speaker_label")
        for segment in as_list(as_dict(results.get("speaker_labels")).get("segments"))
        for item in as_list(as_dict(segment).get("items"))
        if isinstance(as_dict(item).get("start_time"), str)
    }
    words = []
    for item in items:
        entry = as_dict(item)
        best = as_dict(next(iter(as_list(entry.get("alternatives"))), None))
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
    whole = as_dict(value)
    if "utterances" not in whole and not ("words" in whole and "text" in whole):
        return None
    if utterances := as_list(whole.get("utterances")):
        first = as_dict(utterances[0])
        if not isinstance(first.get("text"), str) or not isinstance(first.get("start"), int):
            return None
        if "audio_duration" not in whole and "words" not in first and "words" not in whole:
            return None  # not from this service: the unit must be found
        return _simple(utterances, "text", "start", "end", "speaker"), 1000
    words = as_list(whole.get("words"))
    if not words or "segments" in whole or not isinstance(as_dict(words[0]).get("start"), int):
        return None
    return _spoken(words, "text", "word", None, 0), 1000


def _rev(value: Json) -> Found | None:
    monologues = as_list(as_dict(value).get("monologues"))
    if not monologues:
        return None
    names = {
        str(as_dict(speaker).get("id")): as_dict(speaker).get("name")
        for speaker in as_list(as_dict(value).get("speakers"))
    }
    return _rev_turns(monologues, names), 1


def _rev_turns(monologues: list[Json], names: dict[str, Json]) -> Iterator[Turn]:
    for line, monologue in enumerate(monologues, start=1):
        elements = [as_dict(element) for element in as_list(as_dict(monologue).get("elements"))]
        if not isinstance(monologue, dict) or "elements" not in monologue:
            yield Turn(line, None, None, None, None, excerpt(monologue))
            continue
        starts = [element["ts"] for element in elements if element.get("ts") is not None]
        ends = [element["end_ts"] for element in elements if element.get("end_ts") is not None]
        words = "".join(str(element.get("value") or "") for element in elements)
        speaker = monologue.get("speaker")
        label = names.get(str(speaker)) or speaker
        yield Turn(line, label, starts[0] if starts else None, ends[-1] if ends else None, words)


def _whisper(value: Json) -> Found | None:
    segments = as_list(as_dict(value).get("segments"))
    starts = [as_dict(segment).get("start") for segment in segments]
    if not any(isinstance(start, int | float) for start in starts):
        return None
    turns = [any_turn(line, segment) for line, segment in enumerate(segments, start=1)]
    if all(turn.words is None for turn in turns):
        return None
    certain = any(key in value for key in ("language", "task", "duration", "text"))
    return turns, 1 if certain else unit_of(segments, turns)


def _spoken(
    words: list[Json], key: str, fallback: str, label: str | None, before: int
) -> Iterator[Turn]:
    """Single words joined to turns: a new one where the speaker changes.

    Without any speaker a new one starts after each sentence, so that citations stay short.
    """
    alone = label is None and not any(as_dict(word).get("speaker") is not None for word in words)
    pieces: list[str] = []
    start: Json = None
    end: Json = None
    speaker: Json = label
    line = before + 1
    for number, word in enumerate(words, start=before + 1):
        entry = as_dict(word)
        text = entry.get(key) if entry.get(key) is not None else entry.get(fallback)
        if not isinstance(text, str):
            yield Turn(number, None, None, None, None, excerpt(word))
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
