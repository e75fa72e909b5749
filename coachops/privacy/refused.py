"""Refused uploads that belong to nobody yet, but name a client: found by their bytes."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.db.models import QuarantineItem
from coachops.privacy.traces import Traces


def find(session: Session, traces: Traces) -> list[tuple[uuid.UUID, str]]:
    """Ids and kinds of items of no client that name this one."""
    rows = session.execute(
        sa.select(
            QuarantineItem.id, QuarantineItem.kind, QuarantineItem.name, QuarantineItem.details,
            QuarantineItem.content,
        )
        .where(QuarantineItem.client_id.is_(None), QuarantineItem.transcript_id.is_(None))
        .execution_options(yield_per=20)
    )  # fmt: skip
    return [
        (item, kind)
        for item, kind, name, details, content in rows
        if traces.stand_in(f"{name}\n{details}".encode()) or traces.stand_in(content or b"")
    ]


def clear(session: Session, traces: Traces) -> int:
    """Delete them; of a whole roster, which names others too, the bytes only. Returns how many."""
    found = find(session, traces)
    rosters = [item for item, kind in found if kind == "roster"]
    others = [item for item, kind in found if kind != "roster"]
    session.execute(sa.delete(QuarantineItem).where(QuarantineItem.id.in_(others)))
    session.execute(
        sa.update(QuarantineItem)
        .where(QuarantineItem.id.in_(rosters))
        .values(
            content=None, name="roster", details={},
            state=sa.case((QuarantineItem.state == "waiting", "expired"), else_=QuarantineItem.state),
            resolved_at=sa.func.coalesce(QuarantineItem.resolved_at, clock.now()),
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return len(found)
