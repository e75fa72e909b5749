"""Headers that say under which condition a write holds: If-Match, If-None-Match, Idempotency-Key."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Query, Response

from coachops.coaching.directory.inbound import Condition

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')

_TAGS = r'^\s*(\*|(W/)?"[\x21\x23-\x7e]*"(\s*,\s*(W/)?"[\x21\x23-\x7e]*")*)\s*$'

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=_TAGS,
        description="Version tags (of an ETag) that the row must have, or `*`: any, but it must exist. "
        "With a tag the write also goes over changes made here: you have seen them.",
        examples=['"9f2c4e0b7a5d4c1f8e3a6b2d1c0f9e8d"'],
    ),
]
IfNew = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="`*`: only where the row is not there yet.",
        pattern=r"^\s*\*\s*$",
        examples=["*"],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        pattern=_TAGS,
        description="Tags that you hold: 304 where the row still has one.",
        examples=['"9f2c"'],
    ),
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
        alias="Idempotency-Key",
        description="The same key repeats the same request: it is done once and answered alike, for "
        "two days.",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        examples=["7c1f2a9e-4b7d-4d53-9d0e-2f6f1f1d0a11"],
    ),
]


def condition_of(
    if_match: str | None, if_new: str | None = None, overwrite: bool = False
) -> Condition:
    """The condition that the headers state."""
    matching = None if if_match is None else _tags(if_match)
    return Condition(matching, if_new is not None, overwrite)


def is_known(if_none_match: str | None, version: str) -> bool:
    """Whether the reader holds this version already."""
    if if_none_match is None:
        return False
    tags = _tags(if_none_match, weak=True)
    return "*" in tags or version in tags


def tag(response: Response, version: str) -> None:
    """Write the version as the ETag of the answer."""
    response.headers["ETag"] = f'"{version}"'


def _tags(text: str, *, weak: bool = False) -> frozenset[str]:
    """The tags of a header; weak ones (`W/"…"`) match nothing where a write depends on them."""
    if text.strip() == "*":
        return frozenset({"*"})
    return frozenset(value for mark, value in _TAG.findall(text) if weak or not mark)
