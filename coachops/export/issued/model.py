"""An export that was asked for, as surfaces and its makers see it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CATALOGUE, CoachError
from coachops.db.models import IssuedExport
from coachops.export.issued.request import ExportRequest

OPEN = ("queued", "running")
"""States in which somebody works on it, or will."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose exports they are: a user's, a token's or the suite's.

    A token sees its own only, whoever it acts for: its grant may be narrower than the user's.
    """

    name: str
    actor: Actor

    @classmethod
    def of(cls, actor: Actor, token_id: object = None) -> Owner:
        """The owner behind a call.

        Parameters:
            token_id: of the bearer token, where one was used.
        """
        if token_id is not None:
            return cls(f"token:{token_id}", actor)
        return cls(f"user:{actor.user_id}" if actor.user_id else "system", actor)

    @property
    def sees_all(self) -> bool:
        """Whether exports of others are shown, too."""
        return self.actor.role == "admin" and not self.name.startswith("token:")


@dataclass(frozen=True, slots=True)
class Issued:
    """An export as surfaces show it.

    Attributes:
        requested_by: name of the user; None for the suite itself.
        run: of its job; 0 where it has none, because a command makes it itself.
        rows, bytes, parts_done: of what is written so far.
        eta_seconds: how long it takes yet, by the rows so far; None where nothing tells.
        files: all files with path, bytes and sha256, once it is ready.
    """

    id: uuid.UUID
    key: str
    state: str
    owner: str
    requested_by_id: uuid.UUID | None
    requested_by: str | None
    request: ExportRequest
    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    privacy: str
    place: str
    managed: bool
    run: int
    made_at: dt.datetime
    started_at: dt.datetime | None
    snapshot_at: dt.datetime | None
    finished_at: dt.datetime | None
    expires_at: dt.datetime | None
    files_deleted_at: dt.datetime | None
    rows: int
    rows_expected: int
    bytes: int
    parts: int
    parts_done: int
    eta_seconds: float | None
    error: CoachError | None
    files: tuple[dict[str, Any], ...]

    @property
    def open(self) -> bool:
        """Whether it is still being made."""
        return self.state in OPEN

    @property
    def gone(self) -> bool:
        """Whether the files are not given out any more."""
        over = self.expires_at is not None and self.expires_at <= clock.now()
        return self.state in {"expired", "cancelled"} or (self.state == "ready" and over)

    def file(self, name: str) -> dict[str, Any]:
        """The file of that path.

        Raises:
            CoachError: COACH-EXP-044 where the files are gone, COACH-EXP-041 where there are none
                yet, COACH-EXP-045.
        """
        if self.gone:
            raise CoachError("COACH-EXP-044", ref=self.id)
        if self.state != "ready":
            raise CoachError("COACH-EXP-041", ref=self.id, action="downloaded", state=self.state)
        for entry in self.files:
            if entry["path"] == name:
                return entry
        raise CoachError("COACH-EXP-045", ref=self.id)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the parts of an export are, for who makes it.

    Attributes:
        done: numbers of the parts of this generation that are written.
        failed: why a part could not be written; None where all is well.
    """

    state: str
    generation: int
    token: str | None
    done: frozenset[int]
    failed: CoachError | None


def error_of(code: str | None, details: Mapping[str, Any] | None) -> CoachError | None:
    """The error that a record keeps; None where it keeps none."""
    if code is None:
        return None
    return CoachError(code if code in CATALOGUE else "COACH-SYS-003", **(details or {}))


def issued_of(row: IssuedExport, requested_by: str | None) -> Issued:
    """The export of a row, and the name of the user who asked for it."""
    return Issued(
        id=row.id,
        key=row.key,
        state=row.state,
        owner=row.owner,
        requested_by_id=row.requested_by,
        requested_by=requested_by,
        request=ExportRequest.from_dict(row.request),
        datasets=tuple(row.datasets),
        formats=tuple(row.formats),
        privacy=row.privacy,
        place=row.place,
        managed=row.managed,
        run=row.run,
        made_at=row.made_at,
        started_at=row.started_at,
        snapshot_at=row.snapshot_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        files_deleted_at=row.files_deleted_at,
        rows=row.rows,
        rows_expected=row.rows_expected,
        bytes=row.bytes,
        parts=row.parts,
        parts_done=row.parts_done,
        eta_seconds=_eta(row),
        error=error_of(row.error_code, row.error_details),
        files=tuple(row.files or ()),
    )


def _eta(row: IssuedExport) -> float | None:
    if row.state != "running" or not row.rows or row.started_at is None:
        return None
    took = max(0.0, (clock.now() - row.started_at).total_seconds())
    return round(took * max(0, row.rows_expected - row.rows) / row.rows, 1)
