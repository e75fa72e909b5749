"""Transcripts of sessions: bytes in, typed cues out, with no silent loss. Pure: no database.

Owns the formats, encodings, limits and the rule of conservation (told in `model`): whatever looks
like a cue is imported or reported with line and reason, never both, never neither. To add a text
style, see `text`; a transcription service, add a small function to the shapes in `services`; a limit,
a row of `model.Limits`; an error, a row in `coachops.core.errors.transcripts`.
"""

from coachops.coaching.transcripts.model import (
    LIMITS,
    Cue,
    Format,
    Limits,
    ParsedTranscript,
    Reason,
    Remark,
    Unparsed,
)
from coachops.coaching.transcripts.reader import (
    check_size,
    notes_to_transcript,
    read,
    read_piece,
)
from coachops.coaching.transcripts.roles import SpeakerMapping, map_speakers

__all__ = [
    "LIMITS",
    "Cue",
    "Format",
    "Limits",
    "ParsedTranscript",
    "Reason",
    "Remark",
    "SpeakerMapping",
    "Unparsed",
    "check_size",
    "map_speakers",
    "notes_to_transcript",
    "read",
    "read_piece",
]
