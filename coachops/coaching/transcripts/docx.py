"""DOCX as meeting tools write it: the text of `word/document.xml`, paragraph by paragraph.

Only that one part is unpacked, as a stream, with a limit on its size and ratio, and read by
defusedxml: pictures, fonts and macros are never touched. Line breaks inside a paragraph are lines
(Teams puts name, time and words into one paragraph), deleted text of tracked changes is left out, a
table row becomes one line of name, time and words. The lines are then read like plain text, or like
SRT where they hold `start --> end`.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from coachops.coaching.transcripts import labels, text, timed_blocks
from coachops.coaching.transcripts.cleaning import clean
from coachops.coaching.transcripts.collector import Collector, one_line
from coachops.coaching.transcripts.header_lines import is_heading, is_notice, title_of
from coachops.coaching.transcripts.model import LIMITS
from coachops.coaching.transcripts.timing import looks_like_timing
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DOCUMENT = "word/document.xml"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_ENCRYPTED = 0x1
_PIECE = 1 << 20
_TABLE_HEAD = labels.word_set(
    "speaker name time timestamp start end text words transcript sprecher zeit"
)
_CELL_TIME = re.compile(r"[\[(]?\s*([0-9:.,]+)(?:\s*(?:-->|-|\u2013)\s*([0-9:.,]+))?\s*[\])]?")


# What zipfile raises for damaged files; offsets and sizes that cannot be give the last three.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
    OSError,
    LookupError,
)


@dataclass(slots=True)
class _Paragraph:
    number: int
    lines: list[str]


def parse(data: bytes, into: Collector) -> bool:
    """Read the document into the collector; False when it names no speaker and no time.

    Raises `COACH-TRN-001` (another kind of zip), `-007` (damaged), `-008` (zip bomb), `-009` (XML
    bomb).
    """
    paragraphs = list(_paragraphs(data, into))
    if len(paragraphs) > 1 and is_heading(paragraphs[1].lines[0]):
        title = title_of(" ".join(paragraphs[0].lines))
        if title is not None:
            into.title = title
            into.remark(paragraphs.pop(0).number, title)
    timed = any(looks_like_timing(line) for p in paragraphs for line in p.lines)
    apart = not any(len(p.lines) == 1 and looks_like_timing(p.lines[0]) for p in paragraphs)
    if timed:
        timed_blocks.parse(_lines(paragraphs, apart=apart), into, webvtt=False)
        return True
    return text.parse(lambda: _lines(paragraphs, apart=True), into)


def _lines(paragraphs: list[_Paragraph], *, apart: bool) -> Iterator[tuple[int, str]]:
    """Lines with paragraph numbers; a blank line between paragraphs, or only before time lines."""
    for paragraph in paragraphs:
        notice = is_notice(paragraph.lines[0])
        if apart or notice or looks_like_timing(paragraph.lines[0]):
            yield paragraph.number, ""
        for line in paragraph.lines:
            yield paragraph.number, line
        if notice:
            yield paragraph.number, ""


def _paragraphs(data: bytes, into: Collector) -> Iterator[_Paragraph]:
    """Paragraphs and table rows with text, numbered from 1 (empty ones count)."""
    import defusedxml.ElementTree as Xml  # noqa: PLC0415 only documents need it
    from defusedxml import DefusedXmlException  # noqa: PLC0415

    name = into.name
    # counted before the directory is read: each entry of it becomes an object
    if (members := data.count(b"PK\x01\x02")) > LIMITS.zip_members:
        raise CoachError("COACH-TRN-008", name=name, reason=f"{members} files in it")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _document(archive, name)
            with archive.open(member) as packed:
                stream = _Limited(packed, member.compress_size, name)
                events = Xml.iterparse(stream, events=("start", "end"), forbid_dtd=True)
                yield from _walk(events, into)
    except DefusedXmlException as error:
        raise CoachError("COACH-TRN-009", name=name) from error
    except Xml.ParseError as error:
        raise CoachError("COACH-TRN-007", name=name, reason="its text part is not XML") from error
    except _ZIP_ERRORS as error:
        raise CoachError("COACH-TRN-007", name=name, reason="the zip is broken") from error


def _walk(events: Iterable[tuple[str, Element]], into: Collector) -> Iterator[_Paragraph]:
    """Gather paragraphs outside tables and rows of tables; each is forgotten once it was read."""
    number = depth = characters = 0
    for event, element in _bounded(events, into.name):
        if element.tag == f"{_W}tbl":
            depth += 1 if event == "start" else -1
        if event == "start":
            continue
        if element.tag == _FALLBACK:  # the same text again, for old programs
            element.clear()
        if element.tag != (f"{_W}tr" if depth else f"{_W}p"):
            continue
        number += 1
        if number > 4 * LIMITS.cues:  # empty ones count here
            raise CoachError("COACH-TRN-005", name=into.name, limit=LIMITS.cues)
        lines = _row(_cells(element)) if depth else _text(element).split("\n")
        element.clear()
        characters += sum(map(len, lines))
        if characters > LIMITS.size_bytes:
            reason = f"more than {LIMITS.size_bytes} characters"
            raise CoachError("COACH-TRN-008", name=into.name, reason=reason)
        lines = [clean(line, into.cleaned) for line in lines if line.strip()]
        if depth and _is_table_head(lines):
            into.remark(number, " ".join(lines))
        elif lines:
            yield _Paragraph(number, lines)


def _bounded(events: Iterable[tuple[str, Element]], name: str) -> Iterator[tuple[str, Element]]:
    """The same events, until there are more elements, or deeper ones, than a document has."""
    level = elements = 0
    for event, element in events:
        level += 1 if event == "start" else -1
        elements += event == "start"
        if level > LIMITS.xml_depth or elements > LIMITS.xml_elements:
            reason = "far too many elements, or far too deep"
            raise CoachError("COACH-TRN-008", name=name, reason=reason)
        yield event, element


def _document(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The text part, after the checks that need no unpacking."""
    members = archive.infolist()
    found = [member for member in members if member.filename == DOCUMENT]
    if not found:
        raise CoachError("COACH-TRN-001", name=name, reason="a zip without a Word document")
    member = found[-1]
    if member.flag_bits & _ENCRYPTED:
        raise CoachError("COACH-TRN-007", name=name, reason="it needs a password")
    _check_size(member.file_size, member.compress_size, name)
    return member


def _check_size(unpacked: int, packed: int, name: str) -> None:
    if unpacked > LIMITS.unpacked_bytes:
        raise CoachError(
            "COACH-TRN-008", name=name, reason=f"more than {LIMITS.unpacked_bytes} bytes"
        )
    if unpacked > 1_000_000 and unpacked > LIMITS.unpack_ratio * max(packed, 1):
        raise CoachError(
            "COACH-TRN-008", name=name, reason=f"more than {LIMITS.unpack_ratio} times its size"
        )


class _Limited:
    """Counts what really comes out of the zip: its own directory may lie."""

    def __init__(self, stream: IO[bytes], packed: int, name: str) -> None:
        self._stream = stream
        self._packed = packed
        self._name = name
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next piece, of 1 MB whatever is asked for.

        The XML parser looks at an unfinished token again with each piece: small ones would take
        minutes for a token of some megabytes.
        """
        piece = self._stream.read(_PIECE)
        self._read += len(piece)
        _check_size(self._read, self._packed, self._name)
        return piece


def _text(element: Element) -> str:
    """The words of a paragraph; breaks are line feeds. Nested paragraphs were cleared before."""
    pieces: list[str] = []
    for part in element.iter():
        if part.tag == f"{_W}t":
            pieces.append(part.text or "")
        elif part.tag in {f"{_W}br", f"{_W}cr"}:
            pieces.append("\n")
        elif part.tag == f"{_W}tab" and part.get(f"{_W}val") is None:  # not a tab stop
            pieces.append("\t")
        elif part.tag == f"{_W}noBreakHyphen":
            pieces.append("-")
    return "".join(pieces)


def _cells(row: Element) -> list[str]:
    """The cells of a table row that hold words."""
    cells = ("\n".join(_text(p) for p in cell.iter(f"{_W}p")) for cell in row.iter(f"{_W}tc"))
    return [cell.strip() for cell in cells if cell.strip()]


def _is_table_head(cells: list[str]) -> bool:
    words = " ".join(cells).casefold().replace("|", " ").split()
    return bool(words) and _TABLE_HEAD.issuperset(words)


def _row(cells: list[str]) -> list[str]:
    """A table row as a line `[time] Name: words`, where its cells can be told apart."""
    if len(cells) < 2:
        return cells[0].split("\n") if cells else []
    if _is_table_head(cells):
        return [" | ".join(cells)]
    times = [match for cell in cells if (match := _cell_time(cell))]
    words = [cell for cell in cells if not _cell_time(cell)]
    label = words[0] if words and _is_label(words[0]) and len(words) > 1 else None
    spoken = one_line(" ".join(words[1:] if label else words))
    stamp = "-->".join(times[0].groups("")).removesuffix("-->") if times else ""
    if len(times) > 1:
        stamp = f"{times[0][1]}-->{times[1][1]}"
    if label is None:
        return [f"[{stamp}] {spoken}" if stamp else spoken]
    return [f"[{stamp}] {label}: {spoken}" if stamp else f"{label}: {spoken}"]


def _cell_time(cell: str) -> re.Match[str] | None:
    """Whether a cell holds a time, be it a wrong one (that is reported later, with its words)."""
    match = _CELL_TIME.fullmatch(cell)
    return match if match is not None and ":" in match[1] else None


def _is_label(cell: str) -> bool:
    bare = cell.strip().rstrip(":")
    return labels.is_role(bare) or labels.is_generic(bare) or labels.name_like(bare)
