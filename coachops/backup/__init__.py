"""Backup and recovery of everything that state lives in: databases, secrets, letters.

Owns the place where backups lie, their manifests, the drill and the restore. Invariants: a backup
is listed only when its manifest is there, and the manifest is written last; every listed file has
its SHA-256 and a manifest carries its own in its name; only a restore that was compared table by
table counts as proof; the newest proven backup is never deleted.
The commonest addition is an engine for another database: a class as `engines.Engine`, and a row in
`engines.engine_for`. The public face is `Backups` (made by `bootstrap`).
"""

from coachops.backup.facade import Backups
from coachops.backup.model import BackupRow, DrillResult, Problem, RecoveryStatus, Restored
from coachops.backup.place import Place, open_place
from coachops.backup.standing import span

__all__ = [
    "BackupRow",
    "Backups",
    "DrillResult",
    "Place",
    "Problem",
    "RecoveryStatus",
    "Restored",
    "open_place",
    "span",
]
