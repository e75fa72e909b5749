"""Round trips, conservation and robustness on random conversations and random bytes."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coachops.coaching.transcripts import ParsedTranscript, read
from coachops.core.errors import CoachError
from tests.coaching.transcripts.accounting import (
    assert_text_conservation,
    assert_timed_conservation,
)
from tests.conftest import ANNOMI

NAMES = st.sampled_from(["Anna Berg", "José Díaz", "Speaker 2", "Coach", "O'Neil", "Frau Dr. Özil"])
WORDS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyzäéßñ'\u2019-,.?!<>&", min_size=1, max_size=9),
    min_size=1,
    max_size=12,
).map(" ".join)
SPEECH = WORDS.filter(lambda text: "-->" not in text and any(c.isalpha() for c in text)).map(
    lambda text: "well " + text
)
CUES = st.lists(
    st.tuples(NAMES, st.integers(0, 43_000_000), st.integers(0, 90_000), SPEECH),
    min_size=1,
    max_size=25,
)
Cues = Sequence[tuple[str, int, int, str]]


def stamp(ms: int, mark: str = ".") -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def same(parsed: ParsedTranscript, cues: Cues, *, ends: bool = True) -> None:
    assert [(c.speaker_label, c.start_ms, c.text) for c in parsed.cues] == [
        (who, start, " ".join(text.split())) for who, start, _, text in cues
    ]
    if ends:
        assert [c.end_ms for c in parsed.cues] == [start + length for _, start, length, _ in cues]
    assert parsed.unparsed == ()
    assert [c.position for c in parsed.cues] == list(range(1, len(cues) + 1))


@given(CUES, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_webvtt_with_voices_comes_back_as_it_was(cues: Cues, ids: bool, encoding: str) -> None:
    text = "WEBVTT\n\n" + "".join(
        (f"{n}\n" if ids else "")
        + f"{stamp(start)} --> {stamp(start + length)}\n<v {who}>{html.escape(words)}</v>\n\n"
        for n, (who, start, length, words) in enumerate(cues, start=1)
    )
    assert_timed_conservation(text, parsed := read(text.encode(encoding), "x.vtt"))
    same(parsed, cues)


@given(CUES, st.booleans())
def test_srt_with_names_comes_back_as_it_was(cues: Cues, blank: bool) -> None:
    gap = "\n\n" if blank else "\n"
    text = "".join(
        f"{n}\n{stamp(start, ',')} --> {stamp(start + length, ',')}\n{who}: {html.escape(words)}{gap}"
        for n, (who, start, length, words) in enumerate(cues, start=1)
    )
    same(read(text.encode(), "x.srt"), cues)


@given(
    CUES,
    st.sampled_from(
        ["[{t}] {who}: {w}", "{t} {who}: {w}", "{who} ({t}): {w}", "{who}  {t}\n{w}\n"]
    ),
)
def test_text_comes_back_as_it_was(cues: Cues, style: str) -> None:
    cues = [
        ("Coach", 0, 0, "well hello"),
        *cues,
        ("O'Neil", 1, 0, "well bye"),
        ("O'Neil", 2, 0, "so"),
    ]
    text = "".join(
        style.format(t=stamp(start), who=who, w=words) + "\n" for who, start, _, words in cues
    )
    same(parsed := read(text.encode(), "x.txt"), cues, ends=False)
    assert_text_conservation(text, parsed)


BLOCKS = st.sampled_from(
    [
        "00:01.000 --> 00:02.000\n<v Ann>fine\n",
        "7\n00:01.000 --> 00:02.000\nfine\nmore\n",
        "id\n00:00:03.000 --> 00:00:02.000\nbackwards\n",
        "00:00:03.000 --> 00:00:99.000\nbad\n",
        "999:00:03.000 --> 999:00:04.000\nfar\n",
        "00:03.000 -->\ncut\n",
        "-->\n",
        "00:03.000 --> 00:04.000\n",
        "words alone\n",
        "two lines\nof words\n",
        "12\n",
        "NOTE a comment\nwith lines\n",
        "NOTE\n00:05.000 --> 00:06.000\nby the rules a cue\n",
        "00:05.000 --> 00:06.000\none\n00:06.000 --> 00:07.000\ntwo\n",
        "00:05.000 --> 00:06.000\none\nx-->\n",
        "\n",
    ]
)


@given(st.lists(BLOCKS, max_size=14), st.sampled_from(["\n", "\r\n"]))
def test_every_candidate_of_a_broken_webvtt_file_is_imported_or_reported(
    blocks: list[str], newline: str
) -> None:
    text = "WEBVTT\n\n" + "\n".join([*blocks, "00:09.000 --> 00:10.000\nlast\n"])
    parsed = read(text.replace("\n", newline).encode(), "x.vtt")
    assert_timed_conservation(text, parsed)


LINES = st.sampled_from(
    [
        "Anna: one two",
        "Ben Ode: three",
        "[00:01:00] Anna: four",
        "[00:99:99] Ben Ode: five",
        "Ben Ode (0:12): six",
        "Anna  0:15",
        "seven eight",
        "10:30 is fine",
        "Note: nine",
        "12 October 2026",
        "Participants: Anna",
        "Ben Ode:",
        "0:20",
        "A title",
        "",
        "Anna started transcription",
        "[0:30] ten",
    ]
)


@given(st.lists(LINES, max_size=16))
def test_every_word_of_a_text_is_in_a_cue_a_report_or_a_remark(lines: list[str]) -> None:
    text = "\n".join([*lines, "Anna: last", "Ben Ode: very last"]) + "\n"
    assert_text_conservation(text, read(text.encode(), "x.txt"))


@given(
    st.binary(max_size=400), st.sampled_from(["x.vtt", "x.srt", "x.txt", "x.docx", "x.json", "x"])
)
def test_random_bytes_are_read_or_refused_with_a_code(data: bytes, name: str) -> None:
    for start in (b"", b"WEBVTT\n\n", b"PK\x03\x04", b'[{"text":"', b"\xff\xfe"):
        try:
            parsed = read(start + data, name)
        except CoachError:
            continue
        for cue in parsed.cues:
            cue.text.encode()
            assert cue.text


FRAGMENTS = st.lists(
    st.sampled_from(
        ["WEBVTT", "\n", "\n\n", "00:01", ":", "-->", " ", "<v A>", "</v>", "[", "]", "(", ")", "Anna",
         "\r", "\x00", "&amp;", "9" * 30, ".", ",", "{", "NOTE", "**", "\u202e", "word", "1", "AM"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@given(FRAGMENTS, st.sampled_from(["x.vtt", "x.srt", "x.txt", "x.md", "x.json"]))
def test_text_in_fragments_is_read_or_refused_with_a_code(text: str, name: str) -> None:
    try:
        parsed = read(text.encode(), name)
    except CoachError:
        return
    assert not {cue.line for cue in parsed.cues} & {
        r.line for r in parsed.unparsed if not r.excerpt
    }
    assert parsed.candidates >= 1


@given(CUES)
def test_the_same_bytes_give_the_same_result(cues: Cues) -> None:
    text = "".join(f"{who}: {words}\n" for who, _, _, words in cues)
    try:
        first = read(text.encode(), "x.txt")
    except CoachError:
        assume(False)
    assert first == read(text.encode(), "x.txt")


@pytest.mark.skipif(not ANNOMI.is_dir(), reason="the annotated dialogues are not here")
def test_all_annotated_dialogues_are_read_without_loss() -> None:
    count = 0
    for path in sorted(ANNOMI.glob("*.vtt")):
        data = path.read_bytes()
        parsed = read(data, path.name)
        assert_timed_conservation(data.decode(), parsed)
        assert parsed.unparsed == ()
        assert set(parsed.speakers) == {"Coach", "Client"}
        count += len(parsed.cues)
    assert count == 4_598
