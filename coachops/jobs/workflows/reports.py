"""Running a report: the notebook runs in a kernel process of its own."""

from __future__ import annotations

import json

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.errors import CoachError
from coachops.jobs.runtime import Outcome, current, guarded


@DBOS.workflow(name="report", serialization_type=WorkflowSerializationFormat.PORTABLE)
def report(name: str, parameters_json: str) -> Outcome:
    """Run the report of that name with parameters given as a JSON object."""
    outcome = report_step(name, parameters_json)
    if "error" in outcome:
        raise CoachError("COACH-JOB-002", name=f"report {name}", reason=outcome["error"])
    return outcome


@DBOS.step(name="run_report")
@guarded
def report_step(name: str, parameters_json: str) -> Outcome:
    """Run it; a second run after a crash writes its own files beside the first one's."""
    from coachops.reporting import run_report  # noqa: PLC0415 with papermill

    run = run_report(current().settings, name, json.loads(parameters_json))
    return {"html": str(run.html_path), "notebook": str(run.notebook_path), "seconds": run.seconds}
