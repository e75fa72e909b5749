"""The audit record: acts that must be answerable for, written in the transaction of the act.

Invariants: ids and counts only; rows are never changed after they are sealed into the hash chain, and
`verify` names the first one that was. To record an act: `record(session, actor, "message.approved",
…)`; to show the record: `list_events`.
"""

from coachops.audit.chain import AuditHead, head, seal
from coachops.audit.reading import AuditRow, list_events
from coachops.audit.recording import record
from coachops.audit.verifying import AuditBreak, AuditReport, verify

__all__ = [
    "AuditBreak",
    "AuditHead",
    "AuditReport",
    "AuditRow",
    "head",
    "list_events",
    "record",
    "seal",
    "verify",
]
