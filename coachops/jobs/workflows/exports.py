"""Making an export in the background: planned, written in parts by any number of workers, published.

The coordinating job holds the moment of the plan open. Where it dies, the one who takes it over holds
a new moment, and goes on with the missing parts if the data are the same; else it plans anew, and
everything is written again. The record of the export (`issued_exports`) says which parts are there,
so steps may run twice.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from dbos import DBOS, WorkflowSerializationFormat

from coachops.core.errors import CATALOGUE, CoachError
from coachops.export.issued import ExportRequest, Registry
from coachops.jobs import coordinating
from coachops.jobs.exports import SUITE, fail, register
from coachops.jobs.ids import parse_job_id
from coachops.jobs.runtime import POISON_LIMIT, Outcome, current, guarded


@DBOS.workflow(
    name="export",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def export(key: str, request_json: str) -> Outcome:
    """Make the export of that key."""
    outcome = register_step(key, request_json)
    if "error" in outcome:
        raise CoachError("COACH-JOB-002", name="export", reason=outcome["error"])
    export_id = outcome["export_id"]
    if outcome["state"] == "running":
        outcome = write_step(export_id, DBOS.workflow_id or "")
    if outcome.get("state") == "written":
        outcome = publish_step(export_id)
    if "error" in outcome:
        fail_step(export_id, outcome["error"])
        raise CoachError("COACH-JOB-002", name="export", reason=outcome["error"])
    return outcome


@DBOS.workflow(
    name="export_part",
    serialization_type=WorkflowSerializationFormat.PORTABLE,
    max_recovery_attempts=POISON_LIMIT,
)
def export_part(export_id: str, generation: int, number: int) -> Outcome:
    """Write one part of a plan."""
    return part_step(export_id, generation, number)


@DBOS.step(name="register")
@guarded
def register_step(key: str, request_json: str) -> Outcome:
    """Find the export's record; a scheduled one is written down here. Begin with it."""
    services = current()
    request = ExportRequest.from_json(request_json)
    found, _ = register(services, SUITE, request, key=key)
    run = parse_job_id(DBOS.workflow_id or "").number
    state = Registry(services.database).begin(found.id, run)
    return {"export_id": str(found.id), "state": state}


@DBOS.step(name="write_parts")
@guarded
def write_step(export_id: str, job: str) -> Outcome:
    """Hold the moment until every part is written."""
    coordinator = coordinating.Coordinator(current(), uuid.UUID(export_id), parse_job_id(job))
    with _remembered(export_id):
        return {"export_id": export_id, "state": coordinator.write()}


@DBOS.step(name="write_part")
@guarded
def part_step(export_id: str, generation: int, number: int) -> Outcome:
    """Write it, and put it where the others are."""
    return {"state": coordinating.write(current(), uuid.UUID(export_id), generation, number)}


@DBOS.step(name="publish")
@guarded
def publish_step(export_id: str) -> Outcome:
    """Make the export appear."""
    with _remembered(export_id):
        return coordinating.publish(current(), uuid.UUID(export_id))


@DBOS.step(name="fail_export")
@guarded
def fail_step(export_id: str, code: str) -> Outcome:
    """Show the failure at the export, where the step could not."""
    known = CoachError(code if code in CATALOGUE else "COACH-SYS-003")
    fail(current().database, uuid.UUID(export_id), known)
    return {"marked": code}


@contextlib.contextmanager
def _remembered(export_id: str) -> Iterator[None]:
    """An error keeps its details (place, reason) in the record; the engine's outcome has the code."""
    try:
        yield
    except CoachError as error:
        fail(current().database, uuid.UUID(export_id), error)
        raise
