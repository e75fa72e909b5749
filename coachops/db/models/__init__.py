"""The shared schema: one file per area. To add a table: a class here, then `make migration m="…"`."""

from coachops.db.models.ai_state import AiBudget, AiCircuit, AiReply, AiSpend
from coachops.db.models.analysis import (
    ActionItem,
    Analysis,
    Insight,
    InsightEdit,
    OutboundRecord,
)
from coachops.db.models.backups import Backup, Drill, Heartbeat, KeyEscrow
from coachops.db.models.base import Base
from coachops.db.models.changes import ChangeInbox, ChangeLog, FeedMeta
from coachops.db.models.exports import IssuedExport, IssuedExportPart
from coachops.db.models.identity import (
    ApiToken,
    KernelBinding,
    KernelTicket,
    SignInLink,
    User,
    UserPermission,
    WebSession,
)
from coachops.db.models.inbound import InboundRow, KeptReply
from coachops.db.models.operations import Operation
from coachops.db.models.outcomes import Feedback, Goal, GoalRating, Message
from coachops.db.models.people import Client, Coach, Consent, Engagement
from coachops.db.models.privacy import Erasure, LegalHold, RetentionPeriod
from coachops.db.models.quarantine import QuarantineItem
from coachops.db.models.records import Activity, AuditEvent, AuditHeadRow
from coachops.db.models.sessions import CoachingSession, Transcript, TranscriptEdit, Utterance
from coachops.db.models.suppression import MailEvent, Suppression
from coachops.db.models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.db.models.work import WorkerHeartbeat

__all__ = [
    "ActionItem",
    "Activity",
    "AiBudget",
    "AiCircuit",
    "AiReply",
    "AiSpend",
    "Analysis",
    "ApiToken",
    "AuditEvent",
    "AuditHeadRow",
    "Backup",
    "Base",
    "ChangeInbox",
    "ChangeLog",
    "Client",
    "Coach",
    "CoachingSession",
    "Consent",
    "Drill",
    "Engagement",
    "Erasure",
    "FeedMeta",
    "Feedback",
    "Goal",
    "GoalRating",
    "Heartbeat",
    "InboundRow",
    "Insight",
    "InsightEdit",
    "IssuedExport",
    "IssuedExportPart",
    "KeptReply",
    "KernelBinding",
    "KernelTicket",
    "KeyEscrow",
    "LegalHold",
    "MailEvent",
    "Message",
    "Operation",
    "OutboundRecord",
    "QuarantineItem",
    "RetentionPeriod",
    "SignInLink",
    "Suppression",
    "Transcript",
    "TranscriptEdit",
    "User",
    "UserPermission",
    "Utterance",
    "WebSession",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WorkerHeartbeat",
]
