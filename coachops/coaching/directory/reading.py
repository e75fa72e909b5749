"""A row as other systems see it, its version tag, and the digests that tell a change by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from coachops.coaching.directory.model import KindName, Row
from coachops.db.models import Client, Coach, CoachingSession, Engagement


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it is now.

    Attributes:
        values: what a source may say about it, people named by external id.
        more: what it may not say here, such as the day a coach left.
        version: tag of all that; another one means that something of it changed.
    """

    kind: KindName
    id: uuid.UUID
    external_id: str
    values: Mapping[str, Any]
    more: Mapping[str, Any]
    version: str


def see(session: Session, row: Row) -> Seen:
    """The row as it is in this transaction."""
    kind, values, more = _parts(session, row)
    external_id = row.external_id or ""
    content = [kind, str(row.id), external_id, _plain(values), _plain(more)]
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Seen(kind, row.id, external_id, values, more, version)


def _parts(session: Session, row: Row) -> tuple[KindName, dict[str, Any], dict[str, Any]]:
    match row:
        case Coach():
            return "coach", {"name": row.name, "email": row.email}, {"left_on": row.left_on}
        case Client():
            return "client", {"name": row.name, "email": row.email, "left_on": row.left_on}, {}
        case Engagement():
            return "engagement", {
                "coach": session.get_one(Coach, row.coach_id).external_id,
                "client": session.get_one(Client, row.client_id).external_id,
                "title": row.title,
                "started_on": row.started_on,
                "ended_on": row.ended_on,
            }, {}  # fmt: skip
        case CoachingSession():
            return "session", {
                "engagement": session.get_one(Engagement, row.engagement_id).external_id,
                "held_on": row.held_on,
                "title": row.title,
                "duration_ms": row.duration_ms,
            }, {
                "coach": session.get_one(Coach, row.coach_id).external_id,
                "client": session.get_one(Client, row.client_id).external_id,
            }  # fmt: skip


def digest(secret: bytes, row_id: uuid.UUID, field: str, value: object) -> str:
    """Tells whether a value is still the same, and nobody without the secret what it is."""
    content = json.dumps([str(row_id), field, _text(value)], separators=(",", ":"))
    return hmac.new(secret, content.encode(), hashlib.sha256).hexdigest()[:24]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value
