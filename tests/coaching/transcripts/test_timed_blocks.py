"""WebVTT and SRT: voices, names, broken cues; every candidate imported or reported."""

from __future__ import annotations

import pytest

from coachops.coaching.transcripts import Format, Reason, read
from tests.coaching.transcripts.accounting import assert_timed_conservation


def cues(text: str, name: str = "a.vtt") -> list[tuple[int, str | None, int | None, str]]:
    parsed = read(text.encode(), name)
    return [(cue.line, cue.speaker_label, cue.start_ms, cue.text) for cue in parsed.cues]


def reports(text: str, name: str = "a.vtt") -> list[tuple[int, Reason]]:
    return [(report.line, report.reason) for report in read(text.encode(), name).unparsed]


def test_voice_tags_name_the_speaker_and_other_tags_and_entities_are_resolved() -> None:
    text = (
        "WEBVTT - Session three\nKind: captions\n\nNOTE made by hand\n\nSTYLE\n::cue { color: red }\n\n"
        "7d1/12-0\n00:03.000 --> 00:05.500 align:start position:10%\n"
        "<v.loud Ann O&apos;Neil>Hello <i>there</i>, R&amp;D <00:00:04.000>people &lt;3</v>\n"
    )
    parsed = read(text.encode(), "x.vtt")
    (cue,) = parsed.cues
    assert cue.speaker_label == "Ann O'Neil"
    assert cue.text == "Hello there, R&D people <3"
    assert (cue.start_ms, cue.end_ms, cue.line) == (3000, 5500, 10)
    assert parsed.title == "Session three"
    assert [remark.line for remark in parsed.remarks] == [1, 2, 4, 6, 7]
    assert parsed.unparsed == ()


def test_one_cue_with_several_voices_becomes_several_utterances() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>How so?\n<v Ben>Well.</v>\nmhm\n"
    assert cues(text) == [
        (3, "Ann", 1000, "How so?"),
        (3, "Ben", 1000, "Well."),
        (3, None, 1000, "mhm"),
    ]


def test_words_in_angle_brackets_that_are_no_tags_stay() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nI <inaudible> think 3 < 5 <script>x</script>\n"
    assert cues(text)[0][3] == "I <inaudible> think 3 < 5 x"


def test_zoom_names_before_a_colon_and_a_cue_without_one_goes_on_with_the_speaker() -> None:
    text = (
        "WEBVTT\n\n1\n00:00:03.000 --> 00:00:05.000\nAnna Berg: Hello: how are you\n\n"
        "2\n00:00:05.000 --> 00:00:06.000\nBen Ode: Fine.\n\n"
        "3\n00:00:06.000 --> 00:00:07.000\nNote: not a name\n"
    )
    parsed = read(text.encode(), "zoom.vtt")
    assert parsed.speakers == ("Anna Berg", "Ben Ode")
    assert parsed.cues[0].text == "Hello: how are you"
    last = parsed.cues[2]
    assert (last.speaker_label, last.inherited, last.text) == ("Ben Ode", True, "Note: not a name")


def test_webex_names_in_the_id_line() -> None:
    text = 'WEBVTT\n\n1 "Anna Berg" (231)\n00:00:03.000 --> 00:00:05.000\nHello\n'
    assert cues(text) == [(4, "Anna Berg", 3000, "Hello")]


def test_srt_with_names_dashes_coordinates_and_no_blank_lines() -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,500 X1:10 X2:20\n{\\an8}Anna: Hi <b>you</b>\n"
        "2\n00:00:03.000 --> 00:00:04.000\n- Ben: Ok\n- Anna: 12\n"
        "3\n00:00:05,000 --> 00:00:06,000\nBen: I have\n42\n\n"
    )
    parsed = read(text.encode(), "a.srt")
    assert parsed.format is Format.SRT
    assert [(cue.speaker_label, cue.text) for cue in parsed.cues] == [
        ("Anna", "Hi you"),
        ("Ben", "Ok"),
        ("Anna", "12"),
        ("Ben", "I have 42"),
    ]


def test_words_on_the_time_line_are_kept() -> None:
    assert cues("WEBVTT\n\n00:01.000 --> 00:02.000 line:0 Hello there\n")[0][3] == "Hello there"


@pytest.mark.parametrize(
    ("timing", "reason"),
    [
        ("00:00:05.000 --> 00:00:04.999", Reason.END_BEFORE_START),
        ("00:00:xx.000 --> 00:00:04.000", Reason.BAD_TIME),
        ("00:60:00.000 --> 01:00:01.000", Reason.BAD_TIME),
        ("00:00:60.000 --> 00:01:01.000", Reason.BAD_TIME),
        ("-00:00:01.000 --> 00:00:02.000", Reason.BAD_TIME),
        ("00:00:01.000 --> ", Reason.BAD_TIME),
        ("--> 00:00:02.000", Reason.BAD_TIME),
        ("00:00:01.000 -> 00:00:02.000", Reason.BAD_TIME),
        ("00:00:01.000 --&gt; 00:00:02.000", Reason.BAD_TIME),
        ("00:000:00.000 --> 00:00:01.000", Reason.BAD_TIME),
        ("00::00:00.000 --> 00:00:01.000", Reason.BAD_TIME),
        ("00:00.0000 --> 00:00:01.000", Reason.BAD_TIME),
        ("99999999:00:00.000 --> 99999999:00:01.000", Reason.ABSURD_HOUR),
        ("\u0660\u0660:\u0660\u0660:\u0660\u0661.000 --> 00:00:02.000", Reason.BAD_TIME),
    ],
)
def test_a_time_that_cannot_be_true_is_reported_with_its_line_and_the_rest_is_read(
    timing: str, reason: Reason
) -> None:
    text = (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nfirst\n\n"
        f"{timing}\nlost words\n\n00:00:07.000 --> 00:00:08.000\nlast\n"
    )
    parsed = read(text.encode(), "a.vtt")
    assert [cue.text for cue in parsed.cues] == ["first", "last"]
    assert [(report.line, report.reason) for report in parsed.unparsed] == [(6, reason)]
    assert "lost words" in parsed.unparsed[0].excerpt
    assert len(parsed.unparsed[0].excerpt) <= 80


def test_a_broken_time_line_inside_the_words_does_not_swallow_the_next_cue() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n00:03.000 --> 0x:04.000\ntwo\n"
    assert cues(text) == [(3, None, 1000, "one")]
    assert reports(text) == [(5, Reason.BAD_TIME)]


def test_arrows_between_and_inside_cues_are_each_parsed_or_reported() -> None:
    """After the case of the web platform tests: arrow lines that are no cues end no cue."""
    text = (
        "WEBVTT\n\n-->\n00:00.000 --> 00:01.000\none\nx-->\n00:00.000 --> 00:01.000\ntwo\n"
        "-->-->\n00:00.000 --> 00:01.000\nthree\n00:00.000 --> 00:01.000\nfour\n\n"
        "00:00:00.000 -a -->\n\n00:00:00.000 -- -->\n"
    )
    parsed = read(text.encode(), "arrows.vtt")
    assert [cue.text for cue in parsed.cues] == ["one", "two", "three", "four"]
    assert [report.line for report in parsed.unparsed] == [3, 6, 9, 15, 17]
    assert_timed_conservation(text, parsed)


def test_spoken_words_with_an_arrow_stay_in_the_cue() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nwe went from red --> green\n"
    assert cues(text) == [(3, None, 1000, "we went from red --> green")]


def test_a_cue_without_words_and_words_without_a_time_are_reported() -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\n\nstray words\n\n00:03.000 --> 00:04.000\n<v A></v>\n"
    )
    text += "\n00:05.000 --> 00:06.000\nok\n"
    assert reports(text) == [(3, Reason.NO_WORDS), (5, Reason.NO_TIME), (7, Reason.NO_WORDS)]
    assert cues(text) == [(10, None, 5000, "ok")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_kind_of_line_end(newline: str) -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>one\ntwo\n\n00:03.000 --> 00:04.000\n<v B>three\n"
    )
    assert cues(text.replace("\n", newline)) == [(3, "A", 1000, "one two"), (7, "B", 3000, "three")]


def test_white_space_around_times_and_a_missing_header_do_no_harm() -> None:
    text = "x\n\t00:00:01.000\t -->00:00:02.000 \t\none\n\n\f00:00:03.000-->00:00:04.000\ntwo\n"
    assert [cue[3] for cue in cues(text)] == ["one", "two"]


def test_nul_control_bidi_and_tag_characters_are_cleaned_and_counted() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v A\u202enn>a\x00b\x07 c\u2066d\u2069 \U000e0041e &rlm;f\n"
    parsed = read(text.encode(), "x.vtt")
    assert parsed.cues[0].text == "ab cd e f"
    assert parsed.cues[0].speaker_label == "Ann"
    assert dict(parsed.cleaned) == {"bidi": 4, "control": 1, "invisible": 1, "nul": 1}


def test_a_name_on_its_own_line_below_the_time_as_older_teams_files_have_it() -> None:
    text = "\n\n".join(
        f"0:0:{at}.0 --> 0:0:{at + 1}.20\n{who}\nwords {at}"
        for at, who in enumerate(["Anna Berg", "Ben Ode"] * 4)
    )
    parsed = read(text.encode(), "old.txt")
    assert parsed.speakers == ("Anna Berg", "Ben Ode")
    assert parsed.cues[1].text == "words 1"
    assert parsed.cues[1].end_ms == 2200


def test_a_vtt_extension_with_srt_content_and_the_other_way_round() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nHi\n"
    assert read(srt.encode(), "x.txt").format is Format.SRT
    assert read(b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n", "x.srt").format is Format.VTT
