"""The ids of jobs: what they work on stands in them, so equal work has an equal id.

pipeline/<transcript id>/<run from 1>   analyse a transcript and draft its follow-up
send/<message id>/<approved version>    send one approved version; with `/<n>` behind it: again, after
                                        the mail server put it off for the n-th time
report/<name>/<key>/<run from 1>        run a report; the key is the due time or a random one
export/<key>/<run from 1>               make an export; likewise backup, drill, integrity and
                                        retention
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace

from coachops.core.errors import CoachError
from coachops.core.ids import parse_id

BY_ID = ("pipeline", "send")
"""Kinds whose subject is the id of a row."""

BY_KEY = ("export", "backup", "drill", "integrity", "retention")
"""Kinds whose subject is a due time or a random key."""

KINDS = (*BY_ID, "report", *BY_KEY)

_KEY = re.compile(r"[A-Za-z0-9-]+")  # it may name a folder


@dataclass(frozen=True, slots=True)
class JobId:
    """A job's id in parts.

    Attributes:
        subject: an id, a report's name or a key.
        number: of the run, or the version of a message.
        key: of a report only.
        attempt: of sending a version; 0 is the first.
    """

    kind: str
    subject: str
    number: int
    key: str = ""
    attempt: int = 0

    def __str__(self) -> str:
        """The id as it is stored."""
        return f"{self.prefix}{self.number}" + (f"/{self.attempt}" if self.attempt else "")

    @property
    def prefix(self) -> str:
        """What all runs of the same work start with."""
        middle = f"{self.subject}/{self.key}" if self.kind == "report" else self.subject
        return f"{self.kind}/{middle}/"

    @property
    def order(self) -> tuple[int, int]:
        """Grows with each run of the same work."""
        return self.number, self.attempt

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


def send_id(message_id: uuid.UUID, version: int, attempt: int = 0) -> JobId:
    """The id of the job that sends this version of a message, put off so often."""
    return JobId("send", str(message_id), version, attempt=attempt)


def report_id(name: str, key: str, run: int = 1) -> JobId:
    """The id of a run of a report."""
    return JobId("report", name, run, key)


def keyed_id(kind: str, key: str, run: int = 1) -> JobId:
    """The id of a run of an export or of what looks after the installation."""
    if kind not in BY_KEY:
        raise ValueError(kind)
    return JobId(kind, key, run)


def parse_job_id(text: str) -> JobId:
    """The parts of an id.

    Raises:
        CoachError: COACH-JOB-001 where it is none.
    """
    kind, *parts = text.split("/")
    numbers = [int(part) for part in parts[1:] if part.isdecimal()]
    match (kind, parts):
        case ("report", [name, key, _]) if name and key and parts[2].isdecimal():
            return JobId(kind, name, int(parts[2]), key)
        case ("send", [subject, _, _]) if parse_id(subject) and len(numbers) == 2 and numbers[1]:
            return JobId(kind, subject, numbers[0], attempt=numbers[1])
        case (_, [subject, _]) if kind in BY_ID and parse_id(subject) and numbers:
            return JobId(kind, subject, numbers[0])
        case (_, [subject, _]) if kind in BY_KEY and _KEY.fullmatch(subject) and numbers:
            return JobId(kind, subject, numbers[0])
        case _:
            raise CoachError("COACH-JOB-001", ref=text)
