"""Roster import: codes COACH-ROS-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-ROS-001",
        Kind.INVALID,
        "The roster file cannot be read: {reason}.",
        "Save it as CSV in UTF-8 with the columns named in the guide.",
        why="It was saved in another format, another encoding or without its heading.",
    ),
    ErrorSpec(
        "COACH-ROS-002",
        Kind.INVALID,
        "{rejected} of {rows} rows were rejected.",
        "Correct the rows listed and import the same file again; accepted rows are not doubled.",
        why="Some rows miss a value, or contradict others.",
    ),
    ErrorSpec(
        "COACH-ROS-003",
        Kind.INVALID,
        "Line {line} of {name} was rejected: {reason}.",
        "Correct the row in your file and import it again, or replay the corrected row from the "
        "quarantine.",
        why="A cell is empty, too long or of the wrong form, or the row contradicts another one.",
    ),
)
