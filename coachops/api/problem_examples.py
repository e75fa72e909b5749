"""Answers that tell of an error, for the OpenAPI document: schema, and an example from the catalogue."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from coachops.api.problems import TITLES, status_of
from coachops.core.errors import CoachError

ID = "019a1c52-7b1e-7c55-8a0e-3f0d8f0b6a10"
"""An id in examples."""
_ORIGIN = "https://coaching.example.org"
_WORDS: dict[str, object] = {
    "what": "client", "ref": "CL-999", "field": "email", "fields": ["email"], "names": "email",
    "reason": "write a day as YYYY-MM-DD", "scope": "roster:write", "limit": 65536,
    "version": "9f2c4e0b7a5d4c1f8e3a6b2d1c0f9e8d", "minutes": 10, "seconds": 12,
    "name": "session.vtt", "since": "2026-07-01", "until": "2026-01-01",
}  # fmt: skip
"""What stands in the gaps of the texts of examples."""

_WORDS_OF: dict[str, dict[str, object]] = {
    "COACH-INB-002": {"reason": "it has another version"},
    "COACH-INB-005": {"reason": "another coach has it already"},
    "COACH-IDN-016": {"what": "the client 'CL-999'"},
    "COACH-EXP-001": {"name": "meetings"},
    "COACH-EXP-002": {"name": "xlsx"},
    "COACH-EXP-006": {"path": "exports", "reason": "no space left on device"},
    "COACH-EXP-008": {"name": "tabs"},
    "COACH-EXP-016": {"name": "rar"},
    "COACH-EXP-041": {"ref": ID, "action": "downloaded", "state": "running"},
    "COACH-EXP-043": {"what": "data of the client CL-999"},
    "COACH-EXP-046": {"size": 1024},
    "COACH-EXP-050": {"place": "s3://exports", "reason": "it does not answer"},
    "COACH-EXP-051": {"ref": ID, "reason": "COACH-EXP-006"},
    "COACH-EXP-053": {"limit": 5},
    "COACH-FED-005": {"had": 1},
    "COACH-FED-006": {"what": "data of the client CL-999"},
    "COACH-WHK-002": {"reason": "its host is not in the internet"},
    "COACH-WHK-003": {"field": "Event type", "reason": "one or several of export.ready"},
    "COACH-WHK-004": {"ref": ID, "reason": "gone"},
    **{
        key: {"ref": ID}
        for key in (
            "COACH-EXP-040",
            "COACH-EXP-044",
            "COACH-EXP-045",
            "COACH-WHK-001",
            "COACH-WHK-007",
        )
    },
}
"""Words that fit the texts of some codes better."""

_FACTS = {
    400: "The request cannot be answered.",
    401: "No token, or one that is not valid.",
    403: "The role, the scope or the limits of the token do not allow it.",
    404: "Not there, or not for you.",
    409: "It does not fit what is there.",
    410: "Not there any more.",
    412: "The condition of the headers does not hold.",
    413: "Larger than allowed.",
    416: "The file has no such range.",
    422: "Something of it is not valid.",
    429: "Too many requests; Retry-After says when to go on.",
    500: "Something unexpected failed, or a setting is wrong.",
    503: "Unavailable for now; Retry-After says when to try again.",
}


class Problem(BaseModel):
    """Why something failed (RFC 9457, with the suite's code)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    kind: str
    message: str
    why: str
    next_step: str
    who: str
    retryable: bool
    request_id: str
    quarantine_id: str | None = None
    fields: list[str] | None = None
    version: str | None = None
    last_version: str | None = None
    links: dict[str, str] | None = None


def shown(*examples: dict[str, Any]) -> ConfigDict:
    """The configuration of a model that shows these examples in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


def one_of(*names: str) -> WithJsonSchema:
    """A text that is one of `names`, for the document: whoever takes it says what is wrong with another."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


def example(code: str) -> dict[str, Any]:
    """The problem of a code, as an answer shows it."""
    words = _WORDS | _WORDS_OF.get(code, {})
    error = CoachError(code, **words)
    members = error.as_dict()
    return {
        "type": f"{_ORIGIN}{members.pop('page')}",
        "title": TITLES[error.kind],
        "status": status_of(error),
        "detail": error.message,
        **members,
        "request_id": ID,
    }


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Responses of a route by status, an example for each code: `responses=problems("COACH-…")`."""
    answers: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        shown = example(code)
        answer = answers.setdefault(
            shown["status"],
            {
                "model": Problem,
                "description": _FACTS[shown["status"]],
                "content": {"application/problem+json": {"examples": {}}},
            },
        )
        answer["content"]["application/problem+json"]["examples"][code] = {
            "summary": shown["title"], "value": shown,
        }  # fmt: skip
    return answers
