"""Transcript import: codes COACH-TRN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-TRN-001",
        Kind.INVALID,
        "{name} is not a transcript that can be read ({reason}).",
        "Upload WebVTT, SRT, text with 'Name: words' lines, DOCX or JSON.",
    ),
    ErrorSpec(
        "COACH-TRN-002",
        Kind.INVALID,
        "{name} is empty.",
        "Export the transcript again from the meeting tool.",
    ),
    ErrorSpec(
        "COACH-TRN-003",
        Kind.TOO_LARGE,
        "{name} is larger than the limit ({reason}).",
        "Split the recording into sessions, then upload each.",
    ),
)
