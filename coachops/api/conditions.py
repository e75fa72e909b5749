"""Headers that say under which condition a write holds: If-Match, If-None-Match, Idempotency-Key."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Query, Response

from coachops.coaching.directory.inbound import Condition
from coachops.core.errors import CoachError

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')

IfMatch = Annotated[
    str | None,
    Header(
        description="Version tags (of an ETag) that the row must have, or `*`: any, but it must exist. "
        "With a tag the write also goes over changes made here: you have seen them.",
        examples=['"9f2c4e0b7a5d4c1f8e3a6b2d1c0f9e8d"'],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(description="`*`: only where the row is not there yet.", examples=["*"]),
]
Overwrite = Annotated[
    bool,
    Query(
        description="Go over changes made here since your last write, and let e-mails be shared."
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="The same key repeats the same request: it is done once and answered alike, for "
        "two days.",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        examples=["7c1f2a9e-4b7d-4d53-9d0e-2f6f1f1d0a11"],
    ),
]


def condition_of(
    if_match: str | None, if_none_match: str | None = None, overwrite: bool = False
) -> Condition:
    """The condition that the headers state.

    Raises:
        CoachError: COACH-API-006 for a header that cannot be read.
    """
    only_new = False
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise CoachError(
                "COACH-API-006", field="If-None-Match", reason="only * is possible here"
            )
        only_new = True
    matching = None if if_match is None else _tags("If-Match", if_match)
    return Condition(matching, only_new, overwrite)


def is_known(if_none_match: str | None, version: str) -> bool:
    """Whether the reader holds this version already. Raises COACH-API-006."""
    if if_none_match is None:
        return False
    tags = _tags("If-None-Match", if_none_match, weak=True)
    return "*" in tags or version in tags


def tag(response: Response, version: str) -> None:
    """Write the version as the ETag of the answer."""
    response.headers["ETag"] = f'"{version}"'


def _tags(header: str, text: str, *, weak: bool = False) -> frozenset[str]:
    """The tags of a header; weak ones (`W/"…"`) match nothing where a write depends on them."""
    text = text.strip()
    if text == "*":
        return frozenset({"*"})
    rest = _TAG.sub("", text).replace(",", "").strip()
    found = _TAG.findall(text)
    if rest or not found:
        raise CoachError("COACH-API-006", field=header, reason='write * or tags such as "9f2c4e"')
    return frozenset(value for mark, value in found if weak or not mark)
