"""Many rows at once: NDJSON in, one result for each line out, parents before children in one file.

Lines are taken in parts, each one transaction: what was answered is kept. A line that is refused
leaves the others alone. With a key the whole batch may be repeated: parts that were done answer as
before, the others are done then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from coachops.coaching.directory import lines
from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.inbound import Condition, put_in
from coachops.coaching.directory.model import BODIES, KINDS, Inbound, Name
from coachops.coaching.directory.repeating import Key, once
from coachops.core.errors import CoachError
from coachops.db import Database

MAX_LINE = 64 << 10
PART = 100
"""Lines of one transaction: long enough to be quick, short enough to hold nobody up."""

_STATUSES = ("created", "updated", "unchanged", "rejected")
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def take(
    database: Database, writer: Writer, data: bytes, *, key: Key | None, overwrite: bool
) -> Iterator[dict[str, Any]]:
    """Import the lines of `data`; results in their order, then a line with the sums.

    The first part is done before this returns, so that what is wrong with the whole batch is raised.

    Raises:
        CoachError: COACH-IDN-003 for a role that writes nothing, COACH-INB-007 the key was used for
            another batch, COACH-INB-008 what cannot be read as a batch.
    """
    writer.actor.require_role("admin", "service", what="importing in bulk")
    found = lines.split(data)
    parts = [found[start : start + PART] for start in range(0, len(found), PART)]
    condition = Condition(overwrite=overwrite)
    today = database.today()

    def done(number: int) -> list[dict[str, Any]]:
        def work(session: Session) -> list[dict[str, Any]]:
            return [_one(session, writer, line, condition, today) for line in parts[number]]

        part = None if key is None else key.part(number)
        return once(database, part, work, keep=list, back=lambda _, kept: kept)

    return lines.answered(map(done, range(len(parts))), _STATUSES)


def _one(
    session: Session, writer: Writer, line: lines.Line, condition: Condition, today: dt.date
) -> dict[str, Any]:
    about: dict[str, Any] = {"line": line.number, "type": None, "external_id": None}
    try:
        external_id, body = _parsed(line, about)
        with session.begin_nested():
            written = put_in(session, writer, external_id, body, condition, today)
    except CoachError as error:
        if error.kind not in lines.ABOUT_THE_LINE:
            raise
        return {**about, "status": "rejected", **lines.problem(error)}
    except sa.exc.IntegrityError:  # a limit that only the database knows
        against = CoachError("COACH-INB-005", field="line", reason="it contradicts what is there")
        return {**about, "status": "rejected", **lines.problem(against)}
    return {
        **about,
        "status": written.status,
        "id": str(written.row.id),
        "version": written.row.version,
    }


def _parsed(line: lines.Line, about: dict[str, Any]) -> tuple[str, Inbound]:
    """External id and body of a line; what can be told about it goes into `about`."""
    fields = lines.parsed(line, MAX_LINE)
    kind = fields.pop("type", None)
    known = next((name for name in KINDS if name == kind), None)
    if known is None:
        raise CoachError("COACH-INB-009", field="type", reason=f"one of {', '.join(KINDS)}")
    about["type"] = known
    try:
        about["external_id"] = external_id = _NAME.validate_python(fields.pop("external_id", None))
    except ValidationError as error:
        raise lines.refused(error) from None
    return external_id, lines.validated(BODIES[known], fields)
