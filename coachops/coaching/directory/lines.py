"""Many things at once as NDJSON: lines in, one result for each line out, then a line with the sums."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from coachops.core.errors import CoachError, Kind
from coachops.core.text import clean_line

MAX_BYTES = 20 << 20
MAX_LINES = 10_000

ABOUT_THE_LINE = frozenset(
    {Kind.INVALID, Kind.USAGE, Kind.CONFLICT, Kind.NOT_FOUND, Kind.FORBIDDEN}
)
"""Errors that refuse a line and leave the others alone."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not empty, and its number in the batch."""

    number: int
    text: str


def split(data: bytes) -> list[Line]:
    """The lines of a batch.

    Raises:
        CoachError: COACH-INB-008.
    """
    if len(data) > MAX_BYTES:
        raise CoachError("COACH-INB-008", reason="it is larger than 20 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CoachError("COACH-INB-008", reason="it is not UTF-8") from None
    lines = [Line(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise CoachError("COACH-INB-008", reason="it is empty")
    if len(lines) > MAX_LINES:
        raise CoachError("COACH-INB-008", reason=f"it has more than {MAX_LINES} lines")
    return lines


def parsed(line: Line, most: int) -> dict[str, Any]:
    """The object of a line.

    Parameters:
        most: characters of a line.

    Raises:
        CoachError: COACH-INB-009.
    """
    if len(line.text) > most:
        size = f"{most >> 20} MB" if most >> 20 else f"{most >> 10} KB"
        raise CoachError("COACH-INB-009", field="line", reason=f"it is longer than {size}")
    try:
        content = json.loads(line.text)
    except (ValueError, RecursionError):
        raise CoachError("COACH-INB-009", field="line", reason="it is not JSON") from None
    if not isinstance(content, Mapping):
        raise CoachError("COACH-INB-009", field="line", reason="it is not a JSON object")
    return dict(content)


def validated(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """The fields of a line as a model.

    Raises:
        CoachError: COACH-INB-009.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError) -> CoachError:
    """What is wrong with a line, by the first thing that is."""
    first = error.errors(include_url=False, include_input=False)[0]
    # the name may be one that the source made up: it is kept in a database that refuses NUL
    field = clean_line(".".join(map(str, first["loc"])))[:100] or "external_id"
    reason = first["msg"].removeprefix("Value error, ")
    return CoachError("COACH-INB-009", field=field, reason=reason, fields=[field])


def answered(
    parts: Iterable[Sequence[dict[str, Any]]], statuses: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The results of all parts in order, then a line with the sums.

    The first part is done before this returns, so that what is wrong with the whole batch is raised.
    Later, such an error is the last line.

    Parameters:
        parts: results, each with a `status`; made when they are asked for.
        statuses: all there are.
    """
    remaining = iter(parts)
    return _answered(list(next(remaining, ())), remaining, statuses)


def _answered(
    first: list[dict[str, Any]],
    remaining: Iterator[Sequence[dict[str, Any]]],
    statuses: Sequence[str],
) -> Iterator[dict[str, Any]]:
    found: Counter[str] = Counter()

    def sums() -> dict[str, int]:
        return {"lines": found.total()} | {name: found[name] for name in statuses}

    try:
        for replies in itertools.chain([first], remaining):
            for reply in replies:
                found[str(reply["status"])] += 1
                yield reply
    except CoachError as error:
        yield {"done": False, **sums(), **problem(error)}
        return
    yield {"done": True, **sums()}


def problem(error: CoachError) -> dict[str, Any]:
    """An error as members of a result."""
    more: dict[str, object] = {
        name: error.details[name]
        for name in ("fields", "version", "last_version", "quarantine_id")
        if name in error.details
    }
    return {"code": error.code, "detail": error.message, "next_step": error.next_step, **more}
