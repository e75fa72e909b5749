"""What stands between this moment and a recovery, in words of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from coachops.backup.model import Problem
from coachops.backup.postgres import live, streaming
from coachops.core.errors import CoachError
from coachops.db import Database


def problem(error: CoachError, severity: Literal["bad", "warn"] = "bad") -> Problem:
    """An error as a line of the status."""
    return Problem(error.code, severity, error.message, error.next_step)


def archiving_problems(database: Database) -> list[Problem]:
    """Whether the server's own archiving works, as it says itself."""
    try:
        state = live.archiving_of(database)
    except CoachError as error:
        return [problem(error)]
    if state.mode == "off":
        return [problem(CoachError("COACH-BKP-023", reason="archive_mode is off"))]
    if state.failing:
        reason = f"archive_command fails at {state.failed}"
        return [problem(CoachError("COACH-BKP-023", reason=reason))]
    return []


def slot_problems(database: Database) -> list[Problem]:
    """Whether the server still keeps the log that was not shipped yet."""
    query = sa.text("SELECT wal_status FROM pg_replication_slots WHERE slot_name = :slot")
    try:
        with database.connect(write=True) as connection:
            status = connection.scalar(query, {"slot": streaming.SLOT})
    except CoachError as error:
        return [problem(error)]
    if status is None:
        return [problem(CoachError("COACH-BKP-023", reason="nothing was ever shipped"))]
    if status in {"lost", "unreserved"}:
        reason = "the server drops it before it is shipped; see max_slot_wal_keep_size"
        return [problem(CoachError("COACH-BKP-023", reason=reason))]
    return []


def gap_problem(missing: Sequence[str]) -> list[Problem]:
    """Files of the log that are not at the place."""
    if not missing:
        return []
    return [problem(CoachError("COACH-BKP-024", count=len(missing), first=missing[0]))]
