"""Transcript import: codes COACH-TRN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-TRN-001",
        Kind.INVALID,
        "{name} is not a transcript that can be read ({reason}).",
        "Upload WebVTT, SRT, text with 'Name: words' lines, DOCX or JSON.",
        why="It is another kind of file, or a form of transcript that no tool we know of writes.",
    ),
    ErrorSpec(
        "COACH-TRN-002",
        Kind.INVALID,
        "{name} is empty.",
        "Export the transcript again from the meeting tool.",
        why="The meeting tool had not finished writing it, or nothing was said.",
    ),
    ErrorSpec(
        "COACH-TRN-003",
        Kind.TOO_LARGE,
        "{name} is larger than the limit ({reason}).",
        "Split the recording into sessions, then upload each.",
        why="It holds more than one session, or is the recording itself.",
    ),
    ErrorSpec(
        "COACH-TRN-004",
        Kind.TOO_LARGE,
        "{name} lasts longer than the limit of {limit} hours (line {line}).",
        "Split the recording into sessions, or correct the time in that line, then upload again.",
        why="It holds more than one session, or one time in it is wrong.",
    ),
    ErrorSpec(
        "COACH-TRN-005",
        Kind.TOO_LARGE,
        "{name} holds more than {limit} cues.",
        "Split the recording into sessions, then upload each.",
        why="It holds more than one session, or was cut into single words.",
    ),
    ErrorSpec(
        "COACH-TRN-006",
        Kind.INVALID,
        "{name} holds binary data, not text.",
        "Export the transcript (not the recording) from the meeting tool and upload that file.",
        why="It is the recording or a picture, with the ending of a text file.",
    ),
    ErrorSpec(
        "COACH-TRN-007",
        Kind.INVALID,
        "{name} is a damaged or protected document ({reason}).",
        "Open it in a word processor, save it again as .docx without a password, upload that copy.",
        why="It was not copied completely, or it is protected by a password.",
    ),
    ErrorSpec(
        "COACH-TRN-008",
        Kind.INVALID,
        "{name} was refused because it unpacks to far more than a transcript can hold ({reason}).",
        "Save the text again as .docx or .txt, without pictures, and upload that copy.",
        why="Its pictures are huge, or it was made to exhaust this machine.",
    ),
    ErrorSpec(
        "COACH-TRN-009",
        Kind.INVALID,
        "{name} was refused because its XML declares entities or a document type.",
        "Save the text again as .docx or .txt in a word processor and upload that copy.",
        why="Such declarations are never needed in a transcript and can exhaust this machine.",
    ),
    ErrorSpec(
        "COACH-TRN-010",
        Kind.INVALID,
        "{name} is not valid JSON ({reason}).",
        "Download the JSON again from the transcription service; do not edit it by hand.",
        why="It was cut while it was downloaded, or edited by hand.",
    ),
    ErrorSpec(
        "COACH-TRN-011",
        Kind.INVALID,
        "{name} is JSON, but not in the shape of a transcript that is known ({reason}).",
        "Export it as WebVTT, or as a list of objects with speaker, text, start and end.",
        why="It comes from a service that writes transcripts in a form of its own.",
    ),
    ErrorSpec(
        "COACH-TRN-012",
        Kind.INVALID,
        "{name} holds no cue that can be imported ({reason}).",
        "Look at that line of the file, or export the transcript again from the meeting tool.",
        why="The times or the speakers' names are missing or damaged all through the file.",
    ),
    ErrorSpec(
        "COACH-TRN-013",
        Kind.FAILED,
        "{name} could not be read because of a mistake in the suite itself ({reason}).",
        "Tell support the code and the file's format; after the next version, replay the file from "
        "the quarantine.",
        who="support",
        why="The file holds something that the reader of its format did not foresee.",
    ),
    ErrorSpec(
        "COACH-TRN-014",
        Kind.INVALID,
        "Line {line} of {name} was not imported: {reason}.",
        "Correct the line and replay it from the quarantine, or discard it there.",
        why="The meeting tool wrote it wrongly, or somebody edited the file by hand.",
    ),
)
