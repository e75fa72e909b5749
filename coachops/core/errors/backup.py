"""Backup and recovery: codes COACH-BKP-… (020 and on: the engines of PostgreSQL)."""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS: tuple[ErrorSpec, ...] = (
    ErrorSpec(
        "COACH-BKP-001",
        Kind.UNAVAILABLE,
        "The place of the backups does not answer ({reason}).",
        "Check that the disk is attached or the network reaches {place}; nothing was lost, the "
        "next backup tries again.",
        why="A network share, a disk or the storage service is away.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-BKP-002",
        Kind.CONFIGURATION,
        "The place of the backups refuses access ({reason}).",
        "Check the rights on {place}; for s3:// the keys AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
        why="The keys are wrong or were withdrawn, or the folder belongs to another user.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-003",
        Kind.CONFIGURATION,
        "The place of the backups is not there ({reason}).",
        "Attach the disk, or make the folder or bucket {place}, or correct COACHOPS_STORAGE_URL.",
        why="A disk is not mounted, or the address has a slip.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-004",
        Kind.UNAVAILABLE,
        "There is no space left in {place}.",
        "Free space or give more; earlier backups are whole. 'coachops backup run' tries again.",
        why="The disk or the quota is full.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-BKP-005",
        Kind.CONFLICT,
        "A backup, drill or restore is running already ({what}).",
        "Wait until it has ended; 'coachops backup status' shows it.",
        why="Only one runs at a time, so that none deletes what another needs.",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-BKP-006",
        Kind.NOT_FOUND,
        "There is no good backup {wanted} in {place}.",
        "See 'coachops backup list' for what there is.",
        why="It was never made, was deleted after its time, or lies in another place.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-007",
        Kind.FAILED,
        "Backup {backup} is damaged ({reason}).",
        "Use an older one ('coachops backup list'), run 'coachops backup run' now, and have the "
        "disk or storage checked.",
        why="A file was changed, cut or deleted after it was written.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-008",
        Kind.CONFIGURATION,
        "The backup key cannot be used ({reason}).",
        "Bring the escrow copy back with 'coachops backup key import FILE', or name it in "
        "COACHOPS_BACKUP_ESCROW.",
        why="The key file was deleted, moved or cut.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-009",
        Kind.FAILED,
        "The backup cannot be opened ({reason}).",
        "Use the escrow copy of the key that it was sealed for ({recipients}); if the file is "
        "damaged, use an older backup.",
        why="The key is another one than at the time of the backup, or a file was changed.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-010",
        Kind.CONFLICT,
        "{place} holds a database already; nothing was changed.",
        "Restore into an empty folder with --into FOLDER, or over it with --replace.",
        why="A restore never overwrites what is there unless it is told to.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-011",
        Kind.CONFLICT,
        "The database is in use; nothing was changed.",
        "Stop 'coachops serve', workers and notebooks, then restore again.",
        why="A database that is replaced under running processes would be damaged.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-012",
        Kind.FAILED,
        "What was restored from {backup} differs from what was saved ({reason}).",
        "Use an older backup ('coachops backup list') and report this.",
        why="The copy is not the database that was backed up.",
        who="support",
    ),
    ErrorSpec(
        "COACH-BKP-013",
        Kind.FAILED,
        "The drill failed: {reason}",
        "Mend what it names, then run 'coachops backup drill' again.",
        why="A backup that cannot be restored is none.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-014",
        Kind.FAILED,
        "A disaster now would lose {lost} of work; the limit is {limit}.",
        "Run 'coachops backup run', and see that a worker runs (it backs up by itself).",
        why="No backup was made in time.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-015",
        Kind.FAILED,
        "No drill has passed for {age}; the limit is {limit}.",
        "Run 'coachops backup drill', and see that a worker runs (it drills by itself).",
        why="Only a restore that was compared proves that backups can be used.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-016",
        Kind.FAILED,
        "Nobody has shown that a copy of the backup key lies elsewhere.",
        "Run 'coachops backup key export FILE', keep the file off this machine, then "
        "'coachops backup key confirm FILE'.",
        why="If this machine is lost with the only key, no backup can be opened.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-017",
        Kind.FAILED,
        "The backups lie on the same disk as the data ({place}).",
        "Set COACHOPS_STORAGE_URL to a folder on another disk or machine, or to s3://bucket/prefix.",
        why="One lost disk would take both.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-BKP-018",
        Kind.CONFLICT,
        "The data was restored from a backup: this follow-up may have been sent after it was made.",
        "Ask the client or look into your sent mail, then mark it as sent or as not sent.",
        why="What happened between the backup and the loss is not known any more.",
    ),
    ErrorSpec(
        "COACH-BKP-019",
        Kind.INVALID,
        "The key file cannot be taken ({reason}).",
        "Give the file that 'coachops backup key export' wrote, or choose another name.",
        why="It is not the copy of this installation's key, or the file exists already.",
        who="admin",
    ),
)
