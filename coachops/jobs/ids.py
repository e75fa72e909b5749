"""The ids of jobs: what they work on stands in them, so equal work has an equal id.

pipeline/<transcript id>/<run from 1>   analyse a transcript and draft its follow-up
send/<message id>/<approved version>    send one approved version
report/<name>/<key>/<run from 1>        run a report; the key is the due time or a random one
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from coachops.core.errors import CoachError
from coachops.core.ids import parse_id

KINDS = ("pipeline", "send", "report")


@dataclass(frozen=True, slots=True)
class JobId:
    """A job's id in parts: `subject` is the id or report name, `key` is for reports only."""

    kind: str
    subject: str
    number: int
    key: str = ""

    def __str__(self) -> str:
        """The id as it is stored."""
        middle = f"{self.subject}/{self.key}" if self.kind == "report" else self.subject
        return f"{self.kind}/{middle}/{self.number}"

    @property
    def prefix(self) -> str:
        """What all runs of the same work start with."""
        return str(self).rpartition("/")[0] + "/"

    def next(self) -> JobId:
        """The run after this one."""
        return replace(self, number=self.number + 1)

    @property
    def subject_id(self) -> uuid.UUID:
        """The subject of a pipeline or send job."""
        return uuid.UUID(self.subject)


def pipeline_id(transcript_id: uuid.UUID, run: int) -> JobId:
    """The id of a run of the pipeline."""
    return JobId("pipeline", str(transcript_id), run)


def send_id(message_id: uuid.UUID, version: int) -> JobId:
    """The id of the job that sends this version of a message."""
    return JobId("send", str(message_id), version)


def report_id(name: str, key: str, run: int = 1) -> JobId:
    """The id of a run of a report."""
    return JobId("report", name, run, key)


def parse_job_id(text: str) -> JobId:
    """The parts of an id.

    Raises:
        CoachError: COACH-JOB-001 where it is none.
    """
    parts = text.split("/")
    kind, number = parts[0], parts[-1]
    if kind in KINDS and len(parts) == (4 if kind == "report" else 3) and number.isdecimal():
        if kind == "report" and parts[1] and parts[2]:
            return JobId(kind, parts[1], int(number), parts[2])
        if kind != "report" and parse_id(parts[1]) is not None:
            return JobId(kind, parts[1], int(number))
    raise CoachError("COACH-JOB-001", ref=text)
