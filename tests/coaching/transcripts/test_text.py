"""Plain text: the styles of meeting tools, what is a label and what is speech, notes."""

from __future__ import annotations

import datetime as dt

import pytest

from coachops.coaching.transcripts import Format, Reason, notes_to_transcript, read
from coachops.core.errors import CoachError
from tests.coaching.transcripts.accounting import assert_text_conservation

EXPECTED = [("Anna Berg", 3000, "Hello. How are you?"), ("Ben Ode", 72000, "Fine, thanks.")]


@pytest.mark.parametrize(
    "text",
    [
        "[00:00:03] Anna Berg: Hello. How are you?\n[00:01:12] Ben Ode: Fine, thanks.\n",
        "00:00:03 Anna Berg: Hello. How are you?\n00:01:12 Ben Ode: Fine, thanks.\n",
        "(0:03) Anna Berg: Hello. How are you?\n(1:12) Ben Ode: Fine, thanks.\n",
        "Anna Berg (00:03): Hello. How are you?\nBen Ode (01:12): Fine, thanks.\n",
        "Anna Berg [00:03] Hello. How are you?\nBen Ode [01:12] Fine, thanks.\n",
        "Anna Berg  0:03  \nHello.\nHow are you?\n\nBen Ode  1:12  \nFine, thanks.\n",
        "00:00:03 Anna Berg\nHello.\nHow are you?\n00:01:12 Ben Ode\nFine, thanks.\n",
        "Anna Berg:\n0:03\nHello.\nHow are you?\n\nBen Ode:\n1:12\nFine, thanks.\n",
        "0:03\nAnna Berg: Hello.\nHow are you?\n1:12\nBen Ode: Fine, thanks.\n",
        "**Anna Berg:** Hello. How are you?\n**Ben Ode**: Fine, thanks.\n",
        "00:00:03\tAnna Berg\tHello. How are you?\n00:01:12\tBen Ode\tFine, thanks.\n",
        "Anna Berg\t00:00:03\tHello. How are you?\nBen Ode\t00:01:12\tFine, thanks.\n",
        "Anna Berg 0:03\nHello. How are you?\nBen Ode 1:12\nFine, thanks.\n",
        "2026-10-12 10:00:03 Anna Berg: Hello. How are you?\n"
        "2026-10-12 10:01:12 Ben Ode: Fine, thanks.\n",
        "10:00:03 AM Anna Berg: Hello. How are you?\n10:01:12 AM Ben Ode: Fine, thanks.\n",
    ],
)
def test_each_style_gives_the_same_conversation(text: str) -> None:
    parsed = read(text.encode(), "session.txt")
    assert [(cue.speaker_label, cue.text) for cue in parsed.cues] == [
        (label, words) for label, _, words in EXPECTED
    ]
    times = [cue.start_ms for cue in parsed.cues]
    first = EXPECTED[0][1] if not parsed.clock_offset_ms else 0
    assert times in ([None, None], [first, first + 69000])
    assert parsed.unparsed == ()


def test_a_time_of_day_counts_from_the_first_words() -> None:
    parsed = read(b"14:03:22 Anna: Hello\n14:03:30 Ben: Hi\n", "chat.txt")
    assert [cue.start_ms for cue in parsed.cues] == [0, 8000]
    assert parsed.clock_offset_ms == ((14 * 60 + 3) * 60 + 22) * 1000


def test_continuation_lines_and_speech_with_colons_and_times_stay_with_the_speaker() -> None:
    text = (
        "Anna: So here is the thing: it works.\nNote: that is speech.\n\n10:30 works for me\n"
        "https://example.org: a link\nBen: Yes.\nRemember this: always\n"
    )
    parsed = read(text.encode(), "a.txt")
    assert [cue.line for cue in parsed.cues] == [1, 6]
    assert parsed.cues[0].text.endswith("10:30 works for me https://example.org: a link")
    assert_text_conservation(text, parsed)


def test_title_date_and_notices_are_remarks_and_words_before_a_speaker_are_reported() -> None:
    text = (
        "Delegation, session 2\n12 October 2026\nDuration: 34 min\nso this has no name\n"
        "Anna Berg started transcription\nAnna Berg: Hello.\nBen: Hi.\nTranscribed by https://otter.ai\n"
    )
    parsed = read(text.encode(), "a.txt")
    assert (parsed.title, parsed.date) == ("Delegation, session 2", dt.date(2026, 10, 12))
    assert [remark.line for remark in parsed.remarks] == [1, 2, 3, 5, 8]
    assert [(r.line, r.reason) for r in parsed.unparsed] == [(4, Reason.BEFORE_SPEAKER)]
    assert parsed.cues[-1].text == "Hi."


def test_speech_that_looks_like_a_notice_a_length_or_a_date_stays_speech() -> None:
    text = (
        "Anna  0:03\n10 minutes\nI started recording\nBen  0:09\nOn 12 October 2026 - 2. try\n"
        "12 October 2026\nAnna  0:12\nShe stopped recording.\nBen  0:15\nok\n"
    )
    parsed = read(text.encode(), "a.txt")
    assert [cue.text for cue in parsed.cues] == [
        "10 minutes I started recording",
        "On 12 October 2026 - 2. try 12 October 2026",
        "She stopped recording.",
        "ok",
    ]
    assert parsed.remarks == ()
    notes = notes_to_transcript("On 12 October 2026 he came\nIt was - 2. in all - long\n")
    assert [cue.text for cue in notes.cues] == [
        "On 12 October 2026 he came",
        "It was - 2. in all - long",
    ]


def test_a_turn_with_a_broken_time_and_its_continuation_are_reported() -> None:
    text = "[00:00:01] Anna: Hello\n[00:00:72] Ben: bad\ngoes on\n[00:00:95] Ben: bad\n[0:10] Ben: ok\n"
    parsed = read(text.encode(), "a.txt")
    assert [cue.text for cue in parsed.cues] == ["Hello", "ok"]
    assert [(r.line, r.reason) for r in parsed.unparsed] == [
        (2, Reason.BAD_TIME),
        (3, Reason.AFTER_REJECTED),
        (4, Reason.BAD_TIME),
    ]
    assert_text_conservation(text, parsed)


def test_a_turn_without_words_is_reported() -> None:
    parsed = read(b"Anna: Hello\nBen:\nAnna: Still there?\n", "a.txt")
    assert [(r.line, r.reason) for r in parsed.unparsed] == [(2, Reason.NO_WORDS)]


def test_small_letters_generic_labels_and_odd_names_are_labels() -> None:
    text = (
        "coach: hello\nSPEAKER_01: hi\nJosé d'Oliveira-Wöll (Guest): olá\nDr. Ann B.: mm\n"
        "ann@example.org: x\n+49 170 1234567: y\n李娜: 你好\nvan der Berg: z\nC: c\n"
    )
    assert len(read(text.encode(), "a.txt").speakers) == 9


def test_very_long_turns_are_split_at_line_ends_without_loss() -> None:
    lines = [f"sentence number {n} goes on and on" for n in range(400)]
    text = "Anna: start\n" + "\n".join(lines) + "\nBen: done\n"
    parsed = read(text.encode(), "a.txt")
    assert all(len(cue.text) < 4_100 for cue in parsed.cues)
    assert {cue.speaker_label for cue in parsed.cues[:-1]} == {"Anna"}
    assert_text_conservation(text, parsed)


def test_text_without_speakers_is_read_line_by_line() -> None:
    parsed = read(b"# Call with Ben\n\n- He was late\n- We spoke: about the team\n", "notes.md")
    assert parsed.format is Format.TEXT
    assert parsed.speakers == ()
    assert [(cue.line, cue.text) for cue in parsed.cues] == [
        (3, "He was late"),
        (4, "We spoke: about the team"),
    ]


def test_typed_notes_become_cues_without_a_speaker() -> None:
    parsed = notes_to_transcript(
        "# Session 3\nBen was tired.\n\n1. Anna: asked why\x00\n* He will rest\n"
    )
    assert parsed.format is Format.NOTES
    assert parsed.title == "Session 3"
    assert [cue.text for cue in parsed.cues] == [
        "Ben was tired.",
        "Anna: asked why",
        "He will rest",
    ]
    assert {cue.speaker_label for cue in parsed.cues} == {None}


@pytest.mark.parametrize("empty", ["", " \n\t\n"])
def test_notes_without_words_are_refused(empty: str) -> None:
    with pytest.raises(CoachError, match="COACH-TRN-002"):
        notes_to_transcript(empty)
