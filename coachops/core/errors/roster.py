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
)
