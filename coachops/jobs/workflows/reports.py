"""Running a report: the notebook runs in a kernel process of its own."""

from __future__ import annotations

import json

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.errors import CoachError
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded


@DBOS.workflow(
    name="report",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def report(name: str, parameters_json: str) -> Outcome:
    """Run the report of that name with parameters given as a JSON object."""
    outcome = report_step(name, parameters_json, DBOS.workflow_id or "")
    if "error" in outcome:
        raise CoachError("COACH-JOB-002", name=f"report {name}", reason=outcome["error"])
    return outcome


@DBOS.step(name="run_report")
@guarded
def report_step(name: str, parameters_json: str, job: str) -> Outcome:
    """Run it; where a run of this job before a crash had delivered, that one counts."""
    from coachops.reporting import run_report  # noqa: PLC0415 with papermill

    run = run_report(current().settings, name, json.loads(parameters_json), ticket=job)
    return {"html": str(run.html_path), "notebook": str(run.notebook_path), "seconds": run.seconds}
