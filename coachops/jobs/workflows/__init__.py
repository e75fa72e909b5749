"""The workflows: deterministic functions over recorded steps; importing them registers them.

Invariants: clock, chance, input and output only inside steps; names and the order of steps are a
contract with jobs that are on their way (change them through `DBOS.patch`); steps answer with ids.
To add one: a module here with a step and a workflow, imported below.
"""

from coachops.jobs.workflows.care import backup, drill, integrity, retention
from coachops.jobs.workflows.exports import export
from coachops.jobs.workflows.pipeline import pipeline
from coachops.jobs.workflows.reports import report
from coachops.jobs.workflows.sending import send

__all__ = ["backup", "drill", "export", "integrity", "pipeline", "report", "retention", "send"]
