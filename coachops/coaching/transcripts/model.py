"""What a transcript is after reading: cues, what could not be imported, and what was cleaned.

The rule of conservation. Whatever looks like a cue is a *candidate*, and each candidate is imported
(one `Cue`) or reported (one `Unparsed`), never both and never neither. A candidate is reported when
its time cannot be true (unreadable, end before start, an hour beyond any session), when it has no
words, or when it is not known whose words or what time they belong to. The words of a reported
candidate stay in the original file, which the caller keeps. Lines that belong to the file and not
to the conversation (titles, comments, "… started transcription") are kept as `Remark`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

EXCERPT_CHARACTERS = 80
RAW_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The one table of what is refused.

    Attributes:
        size_bytes: of the uploaded file.
        duration_hours: of the recording, by its latest time.
        cues: imported and reported ones together.
        lines: of a text file; a cue of WebVTT takes four.
        unpacked_bytes: of the text part inside a DOCX.
        unpack_ratio: unpacked to packed bytes of that part, once it is larger than 1 MB.
        zip_members: files inside a DOCX.
        xml_elements, xml_depth: elements of the text part of a DOCX, and how deep they nest.
        json_nodes: objects and lists in a JSON file.
        absurd_hour: a time with this hour or more is a broken time, not a long recording.
        turn_characters: continuation lines are joined to a turn up to here, then a new cue starts.
    """

    size_bytes: int = 10 * 1024 * 1024
    duration_hours: int = 12
    cues: int = 50_000
    lines: int = 400_000
    unpacked_bytes: int = 64 * 1024 * 1024
    unpack_ratio: int = 200
    zip_members: int = 2_000
    xml_elements: int = 600_000
    xml_depth: int = 200
    json_nodes: int = 500_000
    absurd_hour: int = 100
    turn_characters: int = 4_000

    @property
    def duration_ms(self) -> int:
        """The longest recording in milliseconds."""
        return self.duration_hours * 3_600_000


LIMITS = Limits()


class Format(StrEnum):
    """How the file is written (found from its content, not from its name)."""

    VTT = "vtt"
    SRT = "srt"
    TEXT = "text"
    DOCX = "docx"
    JSON = "json"
    NOTES = "notes"


class Reason(StrEnum):
    """Why a candidate was reported and not imported."""

    BAD_TIME = "the time cannot be read"
    END_BEFORE_START = "the end lies before the start"
    ABSURD_HOUR = "the hour lies beyond any session"
    NO_WORDS = "there are no words"
    NO_TIME = "the words have no time line"
    NOT_A_CUE = "the line has an arrow but is no cue"
    BEFORE_SPEAKER = "the words stand before any speaker"
    AFTER_REJECTED = "the line continues one that was not imported"
    NOT_AN_OBJECT = "the element is not an object with text"


@dataclass(frozen=True, slots=True)
class Cue:
    """One utterance.

    Attributes:
        position: from 1, in file order, without gaps.
        line: where it stands: line of a text file, paragraph of a DOCX, element of a JSON list,
            each from 1. Cues of several voices in one place share the line.
        speaker_label: as the file writes it, None where the file tells no speaker.
        start_ms, end_ms: milliseconds from the start of the recording, None where not told.
        text: the words on one line, cleaned; never empty.
        inherited: the label was carried over from the cue before, because tools that write
            'Name: words' name a speaker only where the speaker changes.
    """

    position: int
    line: int
    speaker_label: str | None
    start_ms: int | None
    end_ms: int | None
    text: str
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A candidate that was not imported.

    Attributes:
        line: as in `Cue`.
        excerpt: at most 80 characters on one line, to find it by.
        raw: how it stands in the file (cleaned, at most 20,000 characters), to correct it by.
    """

    line: int
    reason: Reason
    excerpt: str
    raw: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """A line of the file that is not part of the conversation: title, date, comment, notice."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ParsedTranscript:
    """A transcript that was read.

    Attributes:
        source_name: the file's name as given.
        format: how it is written.
        encoding: the character set that was used, such as `utf-8`, `utf-16-le`, `cp1252`.
        sha256: of the original bytes, hexadecimal.
        size_bytes: of the original.
        cues: at least one.
        unparsed: reported candidates, in file order.
        remarks: what belongs to the file and not to the conversation, in file order.
        speakers: distinct labels in order of appearance.
        duration_ms: the latest time known, None where the file has no times.
        cleaned: characters removed or replaced, by kind (`nul`, `control`, `bidi`, `invisible`,
            `separator`, `damaged`).
        title, date: where the file or its name tells them.
        clock_offset_ms: times of day were counted from the first cue; this was subtracted.
    """

    source_name: str
    format: Format
    encoding: str
    sha256: str
    size_bytes: int
    cues: tuple[Cue, ...]
    unparsed: tuple[Unparsed, ...]
    remarks: tuple[Remark, ...]
    speakers: tuple[str, ...]
    duration_ms: int | None
    cleaned: Mapping[str, int] = field(default_factory=dict)
    title: str | None = None
    date: dt.date | None = None
    clock_offset_ms: int = 0

    @property
    def candidates(self) -> int:
        """Everything that looked like a cue: imported plus reported."""
        return len(self.cues) + len(self.unparsed)
