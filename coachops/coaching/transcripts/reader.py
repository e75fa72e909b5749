"""Bytes in, typed transcript out: size checks, detection, the fitting parser, what was found."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from coachops.coaching.transcripts import docx, services, text, timed_blocks
from coachops.coaching.transcripts.cleaning import clean
from coachops.coaching.transcripts.collector import Collector
from coachops.coaching.transcripts.decoding import decode
from coachops.coaching.transcripts.header_lines import find_date
from coachops.coaching.transcripts.model import (
    LIMITS,
    Cue,
    Format,
    ParsedTranscript,
    Unparsed,
)
from coachops.coaching.transcripts.timing import looks_like_timing, timing_line
from coachops.core.errors import CoachError

# First bytes of files that are no transcripts, for an error that says what was uploaded.
_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Office or a password-protected document"),
    (b"%PDF", "a PDF"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "a sound or video recording"),
    (b"ID3", "a sound recording"),
    (b"OggS", "a sound recording"),
    (b"fLaC", "a sound recording"),
    (b"\x1a\x45\xdf\xa3", "a video recording"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MARKUP = ("<!doctype", "<html", "<?xml", "<tt ", "<svg")
_PLAIN_SUFFIXES = frozenset({"", ".txt", ".text", ".md", ".markdown", ".docx"})
_SNIFF_LINES = 2_000


def check_size(size_bytes: int, name: str) -> None:
    """Refuse a file by its size alone, before its bytes are read (`COACH-TRN-002`, `-003`)."""
    if size_bytes == 0:
        raise CoachError("COACH-TRN-002", name=name)
    if size_bytes > LIMITS.size_bytes:
        limit = f"{LIMITS.size_bytes // 1024 // 1024} MB"
        raise CoachError("COACH-TRN-003", name=name, reason=f"more than {limit}")


def read(data: bytes, name: str) -> ParsedTranscript:
    """Read a transcript of any known format and encoding.

    Parameters:
        data: the file's bytes; the caller keeps them, they are not changed.
        name: the file's name; the format is found from the content, the name only helps where that
            is not clear.

    Raises `CoachError` with a `COACH-TRN-…` code for a file that is refused as a whole. Single
    candidates that cannot be imported are in `unparsed` (the rule is told in `model`).
    """
    check_size(len(data), name)
    cleaned: Counter[str] = Counter()
    into = Collector(name, cleaned)
    for magic, what in _OTHER_FILES:
        if data.startswith(magic):
            raise CoachError("COACH-TRN-001", name=name, reason=what)
    if data[4:8] == b"ftyp":
        raise CoachError("COACH-TRN-001", name=name, reason="a sound or video recording")
    date: dt.date | None = None
    if data.startswith(_ZIP):
        form, encoding = Format.DOCX, "utf-8"
        docx.parse(data, into)
    else:
        words, encoding = decode(data, name, cleaned)
        words = clean(words, cleaned)
        if "\r\r\n" in words:  # line ends written twice: every line would be followed by a blank
            words = words.replace("\r\r\n", "\n")
        if not words.strip():
            raise CoachError("COACH-TRN-002", name=name)
        if max(words.count("\n"), words.count("\r")) > LIMITS.lines:
            raise CoachError("COACH-TRN-003", name=name, reason=f"more than {LIMITS.lines} lines")
        form, date = _parse(words, into)
    return _result(data, into, form, encoding, date)


def notes_to_transcript(notes: str, name: str = "notes") -> ParsedTranscript:
    """Typed notes instead of a recording: each line is a cue without speaker and time.

    It is the coach's account; headings are remarks and list bullets are dropped. Raises as `read`.
    """
    data = notes.encode("utf-8", errors="replace")
    check_size(len(data), name)
    cleaned: Counter[str] = Counter()
    into = Collector(name, cleaned)
    text.parse_notes(lines_of(clean(notes, cleaned)), into)
    if not into.cues and not into.remarks:
        raise CoachError("COACH-TRN-002", name=name)
    return _result(data, into, Format.NOTES, "utf-8", None)


def read_piece(words: str, form: str) -> tuple[list[Cue], list[Unparsed]]:
    """Read a line or a cue out of a transcript alone, as somebody corrected it.

    Parameters:
        form: format of the transcript; words with a time line are always read as a cue.

    Raises `CoachError` with a `COACH-TRN-…` code where it is no JSON of a known shape.
    """
    check_size(len(words.encode("utf-8", errors="replace")), "line")
    cleaned: Counter[str] = Counter()
    into = Collector("line", cleaned)
    words = clean(words, cleaned)
    if _has_time_lines(words):
        timed_blocks.parse(lines_of(words), into, webvtt=form == Format.VTT)
    elif form == Format.JSON and words.lstrip().startswith(("{", "[")):
        start = words.lstrip()[:1]
        services.parse(services.load(f"[{words}]" if start == "{" else words, "line"), into)
    elif form == Format.NOTES:
        text.parse_notes(lines_of(words), into)
    else:
        text.parse(lambda: lines_of(words), into)
    return into.cues, into.unparsed


def lines_of(words: str) -> Iterable[tuple[int, str]]:
    """Lines with their numbers from 1, as an editor counts them (LF, CR LF or CR)."""
    stream = io.StringIO(words, newline=None)
    return ((number, line.rstrip("\n")) for number, line in enumerate(stream, start=1))


def _parse(words: str, into: Collector) -> tuple[Format, dt.date | None]:
    """Find the format of decoded text and read it."""
    suffix = PurePath(into.name).suffix.casefold()
    start = words[:200].lstrip()
    if start.startswith("WEBVTT") and (len(start) == 6 or not start[6].isalnum()):
        lead = len(words) - len(words.lstrip())
        skipped = words[:lead].count("\n")
        timed_blocks.parse(
            ((n + skipped, line) for n, line in lines_of(words[lead:])), into, webvtt=True
        )
        return Format.VTT, None
    if start.startswith(("{", "[")):
        found = _parse_json(words, into)
        if found is not None:
            return found
    elif suffix == ".json" and not text.has_turns(lambda: lines_of(words)):
        raise CoachError("COACH-TRN-010", name=into.name, reason="it does not start with { or [")
    if _has_time_lines(words):
        timed_blocks.parse(lines_of(words), into, webvtt=suffix == ".vtt")
        return (Format.VTT if suffix == ".vtt" else Format.SRT), None
    if start.casefold().startswith(_MARKUP):
        raise CoachError("COACH-TRN-001", name=into.name, reason="HTML or XML")
    if suffix not in _PLAIN_SUFFIXES and not text.has_turns(lambda: lines_of(words)):
        reason = "no time lines and no 'Name: words' lines"
        raise CoachError("COACH-TRN-001", name=into.name, reason=reason)
    text.parse(lambda: lines_of(words), into)
    return Format.TEXT, None


def _parse_json(words: str, into: Collector) -> tuple[Format, dt.date | None] | None:
    """Read JSON; None for text that only begins like JSON ("[00:12] Anna: …")."""
    try:
        value = services.load(words, into.name)
    except CoachError:
        if words.lstrip().startswith("{") or not text.has_turns(lambda: lines_of(words)):
            raise
        return None
    return Format.JSON, services.parse(value, into)


def _has_time_lines(words: str) -> bool:
    """Whether a time line stands near the beginning, or one that was meant as such."""
    for number, line in lines_of(words):
        if number > _SNIFF_LINES:
            break
        if "-->" not in line:
            continue
        found = timing_line(line)
        if (found is not None and found[0].problem is None) or looks_like_timing(line):
            return True
    return False


def _result(
    data: bytes, into: Collector, form: Format, encoding: str, date: dt.date | None
) -> ParsedTranscript:
    """Number, order, measure and check what was collected."""
    if not into.cues:
        raise CoachError("COACH-TRN-012", name=into.name, reason=_why_none(into))
    cues, offset = _from_start(into.cues, form)
    duration: int | None = None
    for cue in cues:
        for time in (cue.start_ms, cue.end_ms):
            if time is not None and time > LIMITS.duration_ms:
                raise CoachError(
                    "COACH-TRN-004", name=into.name, limit=LIMITS.duration_hours, line=cue.line
                )
            if time is not None and (duration is None or time > duration):
                duration = time
    remarks = tuple(sorted(into.remarks, key=lambda remark: remark.line))
    if date is None:
        dates = (find_date(remark.text) for remark in remarks[:20])
        date = next((found for found in dates if found), None) or find_date(into.name)
    return ParsedTranscript(
        source_name=into.name,
        format=form,
        encoding=encoding,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        cues=tuple(cues),
        unparsed=tuple(sorted(into.unparsed, key=lambda report: report.line)),
        remarks=remarks,
        speakers=tuple(dict.fromkeys(cue.speaker_label for cue in cues if cue.speaker_label)),
        duration_ms=duration,
        cleaned={kind: n for kind, n in sorted(into.cleaned.items()) if n},
        title=into.title,
        date=date,
        clock_offset_ms=offset,
    )


def _why_none(into: Collector) -> str:
    if not into.unparsed:
        return "nothing in it looks like a cue"
    first = min(into.unparsed, key=lambda report: report.line)
    count = len(into.unparsed)
    return f"{count} found, none usable; line {first.line}: {first.reason.value}"


def _from_start(cues: list[Cue], form: Format) -> tuple[list[Cue], int]:
    """Times of day ("14:03:22 Anna: …") counted from the first cue; the offset in milliseconds.

    Only text files have them. A first time of an hour or more is taken as a time of day.
    """
    times = [cue.start_ms for cue in cues if cue.start_ms is not None]
    if form is not Format.TEXT or not times or times[0] < 3_600_000 or min(times) < times[0]:
        return cues, 0
    offset = times[0]
    return [
        Cue(
            cue.position,
            cue.line,
            cue.speaker_label,
            None if cue.start_ms is None else cue.start_ms - offset,
            None if cue.end_ms is None else cue.end_ms - offset,
            cue.text,
            cue.inherited,
        )
        for cue in cues
    ], offset
