"""JSON of transcription services: shapes, units, and elements that are reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching.transcripts import Format, ParsedTranscript, Reason, read
from coachops.core.errors import CoachError


def parsed(value: Any, name: str = "x.json") -> ParsedTranscript:
    return read(json.dumps(value).encode(), name)


def word(text: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"word": text.lower(), "punctuated_word": text, "start": start, "end": end, **more}


DEEPGRAM_WORDS = [
    word("Hello.", 0.25, 1.5, speaker=0),
    word("Hi", 2, 2.5, speaker=1),
    word("there.", 2.5, 3.125, speaker=1),
]
AWS_ITEMS = [
    {
        "type": "pronunciation",
        "start_time": "0.25",
        "end_time": "1.5",
        "alternatives": [{"content": "Hello"}],
    },
    {"type": "punctuation", "alternatives": [{"content": "."}]},
    {
        "type": "pronunciation",
        "start_time": "2.0",
        "end_time": "2.5",
        "alternatives": [{"content": "Hi"}],
    },
    {
        "type": "pronunciation",
        "start_time": "2.5",
        "end_time": "3.125",
        "alternatives": [{"content": "there"}],
    },
    {"type": "punctuation", "alternatives": [{"content": "."}]},
]
AWS_LABELS = {
    "segments": [
        {"speaker_label": "spk_0", "items": [{"start_time": "0.25", "speaker_label": "spk_0"}]},
        {
            "speaker_label": "spk_1",
            "items": [
                {"start_time": "2.0", "speaker_label": "spk_1"},
                {"start_time": "2.5", "speaker_label": "spk_1"},
            ],
        },
    ]
}
SHAPES: dict[str, Any] = {
    "whisper": {
        "task": "transcribe",
        "language": "english",
        "duration": 3.1,
        "text": "Hello. Hi there.",
        "segments": [
            {"id": 0, "start": 0.25, "end": 1.5, "text": " Hello.", "speaker": "A"},
            {"id": 1, "start": 2.0, "end": 3.125, "text": " Hi there.", "speaker": "B"},
        ],
    },
    "assemblyai": {
        "audio_duration": 4,
        "text": "…",
        "utterances": [
            {"speaker": "A", "start": 250, "end": 1500, "text": "Hello.", "words": []},
            {"speaker": "B", "start": 2000, "end": 3125, "text": "Hi there.", "words": []},
        ],
    },
    "assemblyai words": {
        "text": "…",
        "utterances": None,
        "words": [
            {"text": "Hello.", "start": 250, "end": 1500, "speaker": "A"},
            {"text": "Hi", "start": 2000, "end": 2500, "speaker": "B"},
            {"text": "there.", "start": 2500, "end": 3125, "speaker": "B"},
        ],
    },
    "deepgram utterances": {
        "results": {
            "channels": [{"alternatives": [{"words": DEEPGRAM_WORDS}]}],
            "utterances": [
                {"start": 0.25, "end": 1.5, "transcript": "Hello.", "speaker": 0},
                {"start": 2, "end": 3.125, "transcript": "Hi there.", "speaker": 1},
            ],
        }
    },
    "deepgram paragraphs": {
        "results": {
            "channels": [
                {
                    "alternatives": [
                        {
                            "words": DEEPGRAM_WORDS,
                            "paragraphs": {
                                "paragraphs": [
                                    {
                                        "speaker": 0,
                                        "start": 0.25,
                                        "end": 1.5,
                                        "sentences": [{"text": "Hello."}],
                                    },
                                    {
                                        "speaker": 1,
                                        "start": 2,
                                        "end": 3.125,
                                        "sentences": [{"text": "Hi there."}],
                                    },
                                ]
                            },
                        }
                    ]
                }
            ]
        }
    },
    "deepgram words": {"results": {"channels": [{"alternatives": [{"words": DEEPGRAM_WORDS}]}]}},
    "aws segments": {
        "jobName": "j",
        "results": {
            "items": AWS_ITEMS,
            "audio_segments": [
                {
                    "transcript": "Hello.",
                    "start_time": "0.25",
                    "end_time": "1.5",
                    "speaker_label": "spk_0",
                },
                {
                    "transcript": "Hi there.",
                    "start_time": "2.0",
                    "end_time": "3.125",
                    "speaker_label": "spk_1",
                },
            ],
        },
    },
    "aws items": {"results": {"items": AWS_ITEMS, "speaker_labels": AWS_LABELS}},
    "rev": {
        "monologues": [
            {
                "speaker": 0,
                "elements": [
                    {"type": "text", "value": "Hello", "ts": 0.25, "end_ts": 1.5},
                    {"type": "punct", "value": "."},
                ],
            },
            {
                "speaker": 1,
                "elements": [
                    {"type": "text", "value": "Hi", "ts": 2, "end_ts": 2.5},
                    {"type": "punct", "value": " "},
                    {"type": "text", "value": "there", "ts": 2.5, "end_ts": 3.125},
                    {"type": "punct", "value": "."},
                ],
            },
        ]
    },
    "list in seconds": [
        {"speaker": "Ann", "text": "Hello.", "start": 0.25, "end": 1.5},
        {"speaker": "Ben", "text": "Hi there.", "start": 2, "end": 3.125},
    ],
    "list in milliseconds by key": {
        "cues": [
            {"name": "Ann", "content": "Hello.", "start_ms": 250, "end_ms": 1500},
            {"name": "Ben", "content": "Hi there.", "start_ms": 2000, "end_ms": 3125},
        ]
    },
    "list in milliseconds by size": {
        "transcript": {
            "segments": [
                {"speaker": {"name": "Ann"}, "text": "Hello.", "start": 250, "end": 1500},
                {"speaker": {"name": "Ben"}, "text": "Hi there.", "start": 2000, "end": 3125},
            ]
        }
    },
    "list with clock times": [
        {"role": "Ann", "message": "Hello.", "startTime": "00:00:00.250", "endTime": "00:01,5"},
        {"role": "Ben", "message": "Hi there.", "startTime": "0:02", "endTime": "3.125s"},
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gives_the_same_two_turns(shape: str) -> None:
    result = parsed(SHAPES[shape])
    assert result.format is Format.JSON
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in result.cues] == [
        (250, 1500, "Hello."),
        (2000, 3125, "Hi there."),
    ]
    assert len(result.speakers) == 2
    assert all(len(label) > 1 for label in result.speakers)
    assert result.unparsed == ()


def test_a_recording_without_speakers_is_split_at_sentences() -> None:
    items = [{**item} for item in AWS_ITEMS]
    result = parsed({"results": {"items": items}})
    assert [(cue.line, cue.speaker_label, cue.text) for cue in result.cues] == [
        (1, None, "Hello."),
        (3, None, "Hi there."),
    ]


def test_every_element_is_imported_or_reported_with_its_number() -> None:
    segments = [
        {"start": 0, "end": 1.5, "text": "ok"},
        {"start": 3, "end": 2, "text": "backwards"},
        {"start": 3, "end": 4, "text": "  "},
        {"start": "soon", "end": 4, "text": "when"},
        {"start": -1, "end": 4, "text": "before"},
        {"start": 1e300, "text": "never"},
        {"start": True, "text": "yes"},
        "a string",
        {"start": 5},
        {"text": "untimed"},
    ]
    result = read(json.dumps(segments).encode(), "x.json")
    assert [cue.line for cue in result.cues] == [1, 10]
    assert [(report.line, report.reason) for report in result.unparsed] == [
        (2, Reason.END_BEFORE_START),
        (3, Reason.NO_WORDS),
        (4, Reason.BAD_TIME),
        (5, Reason.BAD_TIME),
        (6, Reason.ABSURD_HOUR),
        (7, Reason.BAD_TIME),
        (8, Reason.NOT_AN_OBJECT),
        (9, Reason.NOT_AN_OBJECT),
    ]


def test_escapes_bring_no_characters_that_cannot_be_stored() -> None:
    result = read(b'[{"speaker":"A\\u0000nn","text":"a\\u202eb \\ud800 c\\nd"}]', "x.json")
    assert result.cues[0].speaker_label == "Ann"
    assert result.cues[0].text == "ab \ufffd c d"
    assert dict(result.cleaned) == {"bidi": 1, "damaged": 1, "nul": 1}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a": [1,', "COACH-TRN-010"),
        (b"[" * 90_000, "COACH-TRN-010"),
        (b"[" + b"9" * 5_000 + b"]", "COACH-TRN-010"),
        (b'{"a": 1}', "COACH-TRN-011"),
        (b"[]", "COACH-TRN-011"),
        (b"[1, 2]", "COACH-TRN-011"),
        (b'{"results": {"items": [7]}}', "COACH-TRN-012"),
        (b'{"segments": [{"start": 1}]}', "COACH-TRN-011"),
        (b'[{"text": ""}]', "COACH-TRN-012"),
    ],
)
def test_json_that_holds_no_transcript_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(CoachError) as caught:
        read(data, "x.json")
    assert caught.value.code == code


def test_text_that_only_begins_like_json_is_text_whatever_its_name() -> None:
    assert read(b"[00:01] Anna: hi\n[00:02] Ben: ho\n", "x.json").format is Format.TEXT
    assert parsed(SHAPES["rev"], "x.txt").format is Format.JSON


KEYS = st.sampled_from(
    [
        "results",
        "utterances",
        "segments",
        "monologues",
        "elements",
        "channels",
        "alternatives",
        "words",
        "items",
        "text",
        "transcript",
        "speaker",
        "start",
        "end",
        "start_time",
        "paragraphs",
        "sentences",
        "audio_segments",
        "value",
        "ts",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(VALUES)
def test_any_json_is_read_or_refused_with_a_code(value: Any) -> None:
    try:
        result = parsed(value)
    except CoachError:
        return
    assert result.cues
    assert not {cue.line for cue in result.cues} & {report.line for report in result.unparsed}


PIECES = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Ben", None]),
        st.text("abc de", max_size=8),
        st.integers(5000, 10**6),
        st.integers(-5000, 50_000),
    ),
    min_size=1,
    max_size=12,
)


@given(PIECES)
def test_a_list_of_turns_comes_back_as_it_was(pieces: list[tuple[Any, str, int, int]]) -> None:
    value = [
        {"speaker": who, "text": text, "start_ms": at, "end_ms": at + length}
        for who, text, at, length in pieces
    ]
    good = [
        (line, who, " ".join(text.split()), at, at + length)
        for line, (who, text, at, length) in enumerate(pieces, start=1)
        if text.strip() and length >= 0
    ]
    if not good:
        with pytest.raises(CoachError, match="COACH-TRN-012"):
            parsed(value)
        return
    result = parsed(value)
    assert [(c.line, c.speaker_label, c.text, c.start_ms, c.end_ms) for c in result.cues] == good
    assert result.candidates == len(pieces)
