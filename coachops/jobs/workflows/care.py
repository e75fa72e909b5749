"""Looking after the installation: backups, restore drills, integrity checks, retention.

Each is one step: what a crash interrupts is begun again, and a half backup is never listed.
"""

from __future__ import annotations

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.errors import CoachError
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded
from coachops.jobs.workflows.later import put_off

_TAKEN = "COACH-BKP-005"


@DBOS.workflow(
    name="backup",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def backup() -> Outcome:
    """Take a backup."""
    return _ended("backup", backup_step())


@DBOS.workflow(
    name="drill",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def drill() -> Outcome:
    """Restore the newest backup into a scratch place and compare."""
    return _ended("drill", drill_step())


@DBOS.workflow(
    name="integrity",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def integrity() -> Outcome:
    """Read the whole database and the audit chain, and say what is wrong with them."""
    outcome = integrity_step()
    if "error" not in outcome:
        outcome = outcome | audit_step()
    return _ended("integrity", outcome)


@DBOS.workflow(
    name="retention",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def retention() -> Outcome:
    """Delete what is older than its period, and finish what erasures left."""
    return _ended("retention", retention_step())


def _ended(name: str, outcome: Outcome) -> Outcome:
    if outcome.get("error") == _TAKEN:  # a person runs one by hand
        outcome = later_step(DBOS.workflow_id or "")
    if "error" in outcome:
        raise CoachError("COACH-JOB-002", name=name, reason=outcome["error"])
    return outcome


@DBOS.step(name="put_off")
@guarded
def later_step(job: str) -> Outcome:
    """Queue the next run for a minute later."""
    return {"rescheduled": put_off(job, 60.0)}


@DBOS.step(name="take_backup")
@guarded
def backup_step() -> Outcome:
    """Take it; what a run before a crash left half is cleared by the next one."""
    row = current().backups.run()
    return {"backup": row.id, "bytes": row.bytes}


@DBOS.step(name="run_drill")
@guarded
def drill_step() -> Outcome:
    """Restore and compare; a drill that did not pass is a failed job."""
    result = current().backups.drill()
    if not result.passed:
        raise CoachError("COACH-BKP-013", reason="; ".join(result.reasons))
    return {"rpo_seconds": result.rpo_seconds, "rto_seconds": result.rto_seconds}


@DBOS.step(name="check_integrity")
@guarded
def integrity_step() -> Outcome:
    """Check every page and index; what is found is written to the log, where no client's words are."""
    problems = current().database.check_integrity(full=True)
    if not problems:
        return {"problems": 0}
    raise CoachError("COACH-DB-008", reason=problems[0])


@DBOS.step(name="verify_audit")
@guarded
def audit_step() -> Outcome:
    """Follow the audit chain from its beginning."""
    from coachops import audit  # noqa: PLC0415 only here

    report = audit.verify(current().database)
    if report.first is not None:
        raise CoachError("COACH-SYS-009", reason=report.first.text)
    return {"audit_rows": report.checked}


@DBOS.step(name="apply_retention")
@guarded
def retention_step() -> Outcome:
    """Apply the periods; beginning again after a crash deletes what was left."""
    from coachops.jobs.privacy import run_retention  # noqa: PLC0415 only here

    done = run_retention(current())
    return {"deleted": sum(each.count for each in done.ran), "remaining": len(done.remaining)}
