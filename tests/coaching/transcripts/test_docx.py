"""DOCX as meeting tools write it, made by python-docx."""

from __future__ import annotations

import datetime as dt
import io

import docx

from coachops.coaching.transcripts import Format, ParsedTranscript, Reason, read


def parsed(document: object) -> ParsedTranscript:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return read(buffer.getvalue(), "meeting.docx")


def test_teams_name_time_and_words_in_one_paragraph() -> None:
    document = docx.Document()
    for head in (
        "Delegation-20261012_080100-Meeting Recording",
        "October 12, 2026, 8:01AM",
        "38m 12s",
    ):
        document.add_paragraph(head)
    document.add_paragraph("Anna Berg started transcription")
    for name, time, words in (("Anna Berg", "0:03", "Hello."), ("Ben Ode", "1:02:05", "Hi.\nYou?")):
        paragraph = document.add_paragraph()
        paragraph.add_run().add_break()
        paragraph.add_run(name).bold = True
        paragraph.add_run(f"   {time}").add_break()
        paragraph.add_run(words)
    document.add_paragraph("Anna Berg stopped transcription")
    result = parsed(document)
    assert (result.format, result.title) == (Format.DOCX, "Delegation")
    assert result.date == dt.date(2026, 10, 12)
    assert [(cue.line, cue.speaker_label, cue.start_ms, cue.text) for cue in result.cues] == [
        (5, "Anna Berg", 3000, "Hello."),
        (6, "Ben Ode", 3_725_000, "Hi. You?"),
    ]
    assert result.unparsed == ()
    assert [remark.line for remark in result.remarks] == [1, 2, 3, 4, 7]


def test_older_teams_time_name_and_words_together_or_as_paragraphs_of_their_own() -> None:
    together, apart = docx.Document(), docx.Document()
    for at, name in enumerate(["Anna Berg", "Ben Ode"] * 3):
        lines = [f"0:0:{at}.0 --> 0:0:{at + 1}.50", name, f"words {at}"]
        together.add_paragraph("\n".join(lines))
        for line in lines:
            apart.add_paragraph(line)
    for document in (together, apart):
        cues = parsed(document).cues
        assert [(cue.speaker_label, cue.start_ms, cue.end_ms, cue.text) for cue in cues] == [
            (["Anna Berg", "Ben Ode"][at % 2], at * 1000, at * 1000 + 1500, f"words {at}")
            for at in range(6)
        ]


def test_name_and_time_as_a_paragraph_above_the_words_and_plain_names() -> None:
    document = docx.Document()
    for line in ("Anna Berg  0:03", "Hello.", "", "Ben Ode  0:09", "Hi.", "Anna Berg: And you?"):
        document.add_paragraph(line)
    assert [(cue.speaker_label, cue.text) for cue in parsed(document).cues] == [
        ("Anna Berg", "Hello."),
        ("Ben Ode", "Hi."),
        ("Anna Berg", "And you?"),
    ]


def test_tables_with_time_name_and_words() -> None:
    document = docx.Document()
    rows = [
        ("Time", "Speaker", "Text"),
        ("00:00:03", "Anna Berg", "Hello."),
        ("00:00:09", "Ben Ode", "Hi.\nAll: good"),
        ("00:00:99", "Anna Berg", "broken"),
    ]
    table = document.add_table(rows=0, cols=3)
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    result = parsed(document)
    assert [(cue.line, cue.speaker_label, cue.start_ms, cue.text) for cue in result.cues] == [
        (2, "Anna Berg", 3000, "Hello."),
        (3, "Ben Ode", 9000, "Hi. All: good"),
    ]
    assert [(report.line, report.reason) for report in result.unparsed] == [(4, Reason.BAD_TIME)]


def test_deleted_text_of_tracked_changes_is_not_read() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Anna: Hello")
    run = paragraph.add_run(" gone")
    deleted = run._r.makeelement(docx.oxml.ns.qn("w:del"), {})
    run._r.addprevious(deleted)
    deleted.append(run._r)
    run._r.find(docx.oxml.ns.qn("w:t")).tag = docx.oxml.ns.qn("w:delText")
    document.add_paragraph("Ben: Hi")
    assert [cue.text for cue in parsed(document).cues] == ["Hello", "Hi"]
