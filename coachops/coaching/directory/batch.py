"""Many rows at once: NDJSON in, one result for each line out, parents before children in one file.

Lines are taken in parts, each one transaction: what was answered is kept. A line that is refused
leaves the others alone. With a key the whole batch may be repeated: parts that were done answer as
before, the others are done then.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.inbound import Condition, put_in
from coachops.coaching.directory.model import BODIES, KINDS, Inbound, Name
from coachops.coaching.directory.repeating import Key, once
from coachops.core.errors import CoachError, Kind
from coachops.core.text import clean_line
from coachops.db import Database

MAX_BYTES = 20 << 20
MAX_LINES = 10_000
MAX_LINE = 64 << 10
PART = 100
"""Lines of one transaction: long enough to be quick, short enough to hold nobody up."""

_ABOUT_THE_LINE = {Kind.INVALID, Kind.USAGE, Kind.CONFLICT, Kind.NOT_FOUND, Kind.FORBIDDEN}
_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str


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
    lines = _lines(data)
    parts = [lines[start : start + PART] for start in range(0, len(lines), PART)]
    condition = Condition(overwrite=overwrite)
    today = database.today()

    def done(number: int) -> list[dict[str, Any]]:
        def work(session: Session) -> list[dict[str, Any]]:
            return [_one(session, writer, line, condition, today) for line in parts[number]]

        part = None if key is None else key.part(number)
        return once(database, part, work, keep=list, back=lambda _, kept: kept)

    return _results(done(0), done, len(parts))


def _results(first: Sequence[dict[str, Any]], done: Any, parts: int) -> Iterator[dict[str, Any]]:
    sums: Counter[str] = Counter()
    yield from _counted(first, sums)
    for number in range(1, parts):
        try:
            replies = done(number)
        except CoachError as error:
            yield {"done": False, **_sums(sums), **_problem(error)}
            return
        yield from _counted(replies, sums)
    yield {"done": True, **_sums(sums)}


def _counted(replies: Sequence[dict[str, Any]], sums: Counter[str]) -> Iterator[dict[str, Any]]:
    for reply in replies:
        sums[str(reply["status"])] += 1
        yield reply


def _sums(sums: Counter[str]) -> dict[str, int]:
    names = ("created", "updated", "unchanged", "rejected")
    return {"lines": sums.total()} | {name: sums[name] for name in names}


def _lines(data: bytes) -> list[_Line]:
    if len(data) > MAX_BYTES:
        raise CoachError("COACH-INB-008", reason="it is larger than 20 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CoachError("COACH-INB-008", reason="it is not UTF-8") from None
    lines = [_Line(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise CoachError("COACH-INB-008", reason="it is empty")
    if len(lines) > MAX_LINES:
        raise CoachError("COACH-INB-008", reason=f"it has more than {MAX_LINES} lines")
    return lines


def _one(
    session: Session, writer: Writer, line: _Line, condition: Condition, today: dt.date
) -> dict[str, Any]:
    about: dict[str, Any] = {"line": line.number, "type": None, "external_id": None}
    try:
        external_id, body = _parsed(line, about)
        with session.begin_nested():
            written = put_in(session, writer, external_id, body, condition, today)
    except CoachError as error:
        if error.kind not in _ABOUT_THE_LINE:
            raise
        return {**about, "status": "rejected", **_problem(error)}
    except sa.exc.IntegrityError:  # a limit that only the database knows
        against = CoachError("COACH-INB-005", field="line", reason="it contradicts what is there")
        return {**about, "status": "rejected", **_problem(against)}
    return {
        **about,
        "status": written.status,
        "id": str(written.row.id),
        "version": written.row.version,
    }


def _parsed(line: _Line, about: dict[str, Any]) -> tuple[str, Inbound]:
    """External id and body of a line; what can be told about it goes into `about`."""
    if len(line.text) > MAX_LINE:
        raise CoachError("COACH-INB-009", field="line", reason="it is longer than 64 KB")
    try:
        content = json.loads(line.text)
    except (ValueError, RecursionError):
        raise CoachError("COACH-INB-009", field="line", reason="it is not JSON") from None
    if not isinstance(content, Mapping):
        raise CoachError("COACH-INB-009", field="line", reason="it is not a JSON object")
    fields = dict(content)
    kind = fields.pop("type", None)
    known = next((name for name in KINDS if name == kind), None)
    if known is None:
        raise CoachError("COACH-INB-009", field="type", reason=f"one of {', '.join(KINDS)}")
    about["type"] = known
    try:
        about["external_id"] = external_id = _NAME.validate_python(fields.pop("external_id", None))
        return external_id, BODIES[known].model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # the name may be one that the source made up: it is kept in a database that refuses NUL
        field = clean_line(".".join(map(str, first["loc"])))[:100] or "external_id"
        reason = first["msg"].removeprefix("Value error, ")
        raise CoachError("COACH-INB-009", field=field, reason=reason, fields=[field]) from None


def _problem(error: CoachError) -> dict[str, Any]:
    more: dict[str, object] = {
        name: error.details[name]
        for name in ("fields", "version", "last_version")
        if name in error.details
    }
    return {"code": error.code, "detail": error.message, "next_step": error.next_step, **more}
