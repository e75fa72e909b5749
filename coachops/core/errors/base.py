"""What an error of this suite is: a stable code, what happened, why, what to do, and who can.

Every error a person can read is a row of a catalogue (one file per area in this folder). Surfaces
map the *kind* of an error once: to an HTTP status (`api.problems`), to an exit code (`cli.main`)
and to a banner (`dashboards.components`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from coachops.core.request import current_id

GUIDE = "/guide/reference/errors/"
"""Where the guide describes each code, on a page of its own: `GUIDE` + the code in lower case."""


_LONGEST_WAIT = 30 * 86_400
"""Seconds; what asks for a longer wait than a month is a mistake."""


class Kind(StrEnum):
    """What sort of failure it is; decides the exit code and the HTTP status."""

    INVALID = "invalid"
    USAGE = "usage"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    CONFIGURATION = "configuration"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """A row of the catalogue.

    Attributes:
        code: `COACH-<AREA>-<NNN>`; never reused for another meaning.
        kind: the sort of failure.
        happened: what happened, in words a coach understands; `{name}` is filled from the details.
        next_step: what to do now; may use the same names. True on every surface: no word of pages
            where a command or a program may meet the error too.
        who: who can mend it: `you`, `admin` or `support`.
        retryable: whether the same call may succeed later without a change.
        why: the likely cause, in one sentence without names.
    """

    code: str
    kind: Kind
    happened: str
    next_step: str
    who: str = "you"
    retryable: bool = False
    why: str = ""

    @property
    def page(self) -> str:
        """Path of the guide's page about this code, under the address of the suite."""
        return f"{GUIDE}{self.code.lower()}/"


@dataclass(eq=False)
class CoachError(Exception):
    """An error with a code of the catalogue.

    Parameters:
        code: a code of the catalogue; an unknown one raises `KeyError` at once.
        details: values for the `{names}` in the texts; ids and counts, never a client's words.
            `retry_after` (seconds) says when a new try makes sense.

    Attributes:
        request_id: of the request, command, job or event that failed; "" outside of one.
    """

    code: str
    details: dict[str, object] = field(default_factory=dict)
    request_id: str = ""

    def __init__(self, code: str, **details: object) -> None:
        from coachops.core.errors import CATALOGUE  # noqa: PLC0415 the catalogue needs this module

        self.code = code
        self.details = details
        self.request_id = current_id()
        self.spec: ErrorSpec = CATALOGUE[code]
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes (the job queue pickles them)."""
        return (_rebuild, (self.code, self.details, self.request_id))

    @property
    def kind(self) -> Kind:
        """The sort of failure."""
        return self.spec.kind

    @property
    def message(self) -> str:
        """What happened, filled with the details."""
        return _fill(self.spec.happened, self.details)

    @property
    def next_step(self) -> str:
        """What the person can do now."""
        return _fill(self.spec.next_step, self.details)

    @property
    def retry_after(self) -> int | None:
        """Whole seconds after which a new try makes sense; None where nothing says so."""
        seconds = self.details.get("retry_after")
        if isinstance(seconds, int | float) and 0 <= seconds < _LONGEST_WAIT:
            return math.ceil(seconds)
        return None

    def as_dict(self) -> dict[str, object]:
        """The error as other systems read it."""
        return {
            "code": self.code,
            "kind": self.kind.value,
            "message": self.message,
            "why": self.spec.why,
            "next_step": self.next_step,
            "who": self.spec.who,
            "retryable": self.spec.retryable,
            "page": self.spec.page,
            "request_id": self.request_id,
        }

    def __str__(self) -> str:
        """One line: code, what happened, what to do."""
        return f"{self.code}: {self.message} {self.next_step}"


class _Missing(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def _fill(template: str, details: dict[str, object]) -> str:
    return template.format_map(_Missing(details))


def _rebuild(code: str, details: dict[str, object], request_id: str = "") -> CoachError:
    error = CoachError(code, **details)
    error.request_id = request_id
    return error
