"""Who exports how much, on record before the export appears: an unrecorded export must not exist."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from coachops import audit
from coachops.core.actor import Actor
from coachops.db import Database
from coachops.telemetry import record_activity


def record_made(
    database: Database, actor: Actor, export_id: uuid.UUID, *, rows: int, datasets: int
) -> None:
    """Write it down; a second time nothing happens."""

    def work(session: Session) -> None:
        audit.record(
            session, actor, "export.made", "export", export_id, rows=rows, datasets=datasets
        )
        record_activity(session, actor, "export.made", subject_id=export_id)

    database.run(work, operation_id=export_id, repeated=lambda _session: None)
