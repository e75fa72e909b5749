"""Ends of the audit chain as the backups hold them: what the chain of today must still contain.

They lie outside the reach of who can write to the database, so they show a chain that was cut off or
written anew as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from coachops.audit import AuditHead
from coachops.backup.model import Manifest
from coachops.db import Database
from coachops.db.models import AuditEvent


def expected(database: Database, manifests: Iterable[Manifest]) -> dict[str, AuditHead]:
    """Id of a backup -> the head that the chain must hold, for every backup that it descends from.

    Ids begin with their time, so they sort by it. A restore goes back to its backup: what was written between that backup and the restore is not
    part of this chain any more, and neither are the heads of backups made in between.
    """
    manifests = list(manifests)
    made = {one.id: one.made_at for one in manifests}

    def after(one: Manifest, source: str) -> bool:
        known = made.get(source)
        return one.made_at > known if known is not None else one.id > source

    with database.read() as session:
        restored = [
            (event.subject_id, event.at)
            for event in session.scalars(
                sa.select(AuditEvent).where(AuditEvent.action == "backup.restored")
            )
        ]
    return {
        one.id: AuditHead(one.snapshot.audit.seq, one.snapshot.audit.hash)
        for one in manifests
        if one.snapshot.audit is not None
        and one.snapshot.audit.seq > 0
        and not any(after(one, source) and one.made_at < at for source, at in restored)
    }
