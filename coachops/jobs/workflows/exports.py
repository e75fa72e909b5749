"""Making an export in the background: the folder is there whole or not at all."""

from __future__ import annotations

import json
import shutil

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.jobs.exports import ExportRequest, folder_of
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded


@DBOS.workflow(
    name="export",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def export(key: str, request_json: str) -> Outcome:
    """Make the export that was asked for in the folder of that key."""
    outcome = export_step(key, request_json)
    if "error" in outcome:
        raise CoachError("COACH-JOB-002", name="export", reason=outcome["error"])
    return outcome


@DBOS.step(name="run_export")
@guarded
def export_step(key: str, request_json: str) -> Outcome:
    """Make it; where a run before a crash had published it, that one counts."""
    services = current()
    out = folder_of(services.settings, key)
    finished = out / "manifest.json"
    if finished.is_file():  # published by a rename, so it is whole
        manifest = json.loads(finished.read_text(encoding="utf-8"))
    else:
        for leftover in out.parent.glob(f".{out.name}.partial-*"):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        manifest = ExportRequest.from_json(request_json).run(
            services.database, SYSTEM, services.settings, out
        )
    return {
        "folder": str(out),
        "export_id": manifest["export_id"],
        "files": len(manifest["files"]),
        "rows": sum(dataset["rows"] for dataset in manifest["datasets"]),
    }
