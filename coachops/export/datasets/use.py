"""How the suite is used, and acts to answer for: ids only."""

from __future__ import annotations

from coachops.db.models import Activity, AuditEvent
from coachops.export.definitions import Column, Dataset, ForeignKey, Scope

C, F = Column, ForeignKey

ACTIVITY = Dataset(
    "activity", "1.0.0",
    "Uses of the suite: ids and durations only. A filter by client leaves none.", Activity,
    (
        C("activity_id", "uuid", Activity.id, "Id of the use."),
        C("at", "instant", Activity.at, "When."),
        C("kind", "code", Activity.kind, "What was done.", privacy="plain"),
        C("user_id", "uuid", Activity.user_id, "Id of the user.", True),
        C("coach_id", "uuid", Activity.coach_id, "The coach it belongs to.", True),
        C("subject_id", "uuid", Activity.subject_id, "Id of the row it was done to.", True),
        C("duration_ms", "integer", Activity.duration_ms, "How long, in milliseconds.", True),
    ),
    (F("coach_id", "coaches"),),
    scope=Scope(Activity.at, coach=Activity.coach_id.in_),
    shard_blocks=8,
)  # fmt: skip

AUDIT_EVENTS = Dataset(
    "audit_events", "1.0.0",
    "Acts to answer for: ids only. Filters by coach or client leave none.", AuditEvent,
    (
        C("audit_event_id", "uuid", AuditEvent.id, "Id of the entry."),
        C("at", "instant", AuditEvent.at, "When."),
        C("actor_id", "uuid", AuditEvent.actor_id, "Id of the user; NULL: the suite.", True),
        C("action", "code", AuditEvent.action, "What was done.", privacy="plain"),
        C("subject_type", "code", AuditEvent.subject_type, "To what sort of row.", privacy="plain"),
        C("subject_id", "code", AuditEvent.subject_id, "Id of the row.", privacy="named_id"),
    ),
    scope=Scope(AuditEvent.at),
    shard_blocks=8,
)  # fmt: skip
