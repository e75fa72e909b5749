"""What an error of this suite is: a stable code with what happened, what to do, and who can.

Every error a person can read is a row of a catalogue (one file per area in this folder). Surfaces
map the *kind* of an error once: to an HTTP status (`api.problems`), to an exit code (`cli.main`)
and to a banner (`dashboards.components`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
        next_step: what to do now; may use the same names.
        who: who can mend it: `you`, `admin` or `support`.
        retryable: whether the same call may succeed later without a change.
    """

    code: str
    kind: Kind
    happened: str
    next_step: str
    who: str = "you"
    retryable: bool = False


@dataclass(eq=False)
class CoachError(Exception):
    """An error with a code of the catalogue.

    Parameters:
        code: a code of the catalogue; an unknown one raises `KeyError` at once.
        details: values for the `{names}` in the texts; ids and counts, never a client's words.
    """

    code: str
    details: dict[str, object] = field(default_factory=dict)

    def __init__(self, code: str, **details: object) -> None:
        from coachops.core.errors import CATALOGUE  # noqa: PLC0415 the catalogue needs this module

        self.code = code
        self.details = details
        self.spec: ErrorSpec = CATALOGUE[code]
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes (the job queue pickles them)."""
        return (_rebuild, (self.code, self.details))

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

    def as_dict(self) -> dict[str, object]:
        """The error as other systems read it."""
        return {
            "code": self.code,
            "kind": self.kind.value,
            "message": self.message,
            "next_step": self.next_step,
            "retryable": self.spec.retryable,
        }

    def __str__(self) -> str:
        """One line: code, what happened, what to do."""
        return f"{self.code}: {self.message} {self.next_step}"


class _Missing(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def _fill(template: str, details: dict[str, object]) -> str:
    return template.format_map(_Missing(details))


def _rebuild(code: str, details: dict[str, object]) -> CoachError:
    return CoachError(code, **details)
