"""Write a transcript as a meeting tool's DOCX: how `samples/02-delegation-follow-up.docx` was made.

    python scripts/make_sample_docx.py

Reads any transcript that the suite reads (by default the text beside this script) and writes the
document as Microsoft Teams does: title, date, length, a notice, then one paragraph per turn with
name, time and words. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import zipfile
from pathlib import Path

import docx

from coachops.coaching.transcripts import ParsedTranscript, read

HERE = Path(__file__).parent
SOURCE = HERE / "make_sample_docx.source.txt"
TARGET = HERE.parent / "samples" / "02-delegation-follow-up.docx"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def document_of(parsed: ParsedTranscript, title: str, held_at: dt.datetime) -> bytes:
    """The bytes of the document.

    Parameters:
        title: stands in the first paragraph.
        held_at: local time of the meeting; shown and stored as the time of creation.
    """
    document = docx.Document()
    document.core_properties.title = title
    document.core_properties.created = document.core_properties.modified = held_at
    minutes, seconds = divmod((parsed.duration_ms or 0) // 1000, 60)
    first = parsed.speakers[0]
    document.add_paragraph(f"{title}-{held_at:%Y%m%d_%H%M%S}-Meeting Recording")
    document.add_paragraph(f"{held_at:%B} {held_at.day}, {held_at.year}, {held_at:%I:%M%p}")
    document.add_paragraph(f"{minutes}m {seconds}s")
    document.add_paragraph(f"{first} started transcription")
    for cue in parsed.cues:
        minutes, seconds = divmod((cue.start_ms or 0) // 1000, 60)
        paragraph = document.add_paragraph()
        paragraph.add_run().add_break()
        paragraph.add_run(cue.speaker_label or "Unknown").bold = True
        paragraph.add_run(f"   {minutes}:{seconds:02}").add_break()
        paragraph.add_run(cue.text)
    document.add_paragraph(f"{first} stopped transcription")
    buffer = io.BytesIO()
    document.save(buffer)
    return _same_every_time(buffer.getvalue())


def _same_every_time(data: bytes) -> bytes:
    """The same zip without the time at which it was packed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            new.writestr(
                zipfile.ZipInfo(member.filename, _ZIP_EPOCH),
                old.read(member),
                compress_type=zipfile.ZIP_DEFLATED,
            )
    return buffer.getvalue()


def main() -> None:
    """Read the arguments, write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, default=SOURCE)
    parser.add_argument("target", nargs="?", type=Path, default=TARGET)
    parser.add_argument("--title", default="Delegation follow-up")
    parser.add_argument("--held-at", type=dt.datetime.fromisoformat, default="2026-10-12T09:00:00")
    given = parser.parse_args()
    parsed = read(given.source.read_bytes(), given.source.name)
    given.target.write_bytes(document_of(parsed, given.title, given.held_at))
    print(f"{given.target}: {len(parsed.cues)} turns")


if __name__ == "__main__":
    main()
