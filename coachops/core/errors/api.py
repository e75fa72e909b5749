"""Requests over HTTP: codes COACH-API-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-API-001",
        Kind.NOT_FOUND,
        "There is nothing at this address.",
        "Check the address, or start from the home page.",
        why="The address was mistyped, or what was there has been removed.",
    ),
    ErrorSpec(
        "COACH-API-002",
        Kind.USAGE,
        "This address does not take the method {method}.",
        "The methods of every address are listed in /openapi.json.",
        why="The address exists, but for another kind of request.",
    ),
    ErrorSpec(
        "COACH-API-003",
        Kind.USAGE,
        "This site answers under {origin} only.",
        "Open that address instead.",
        why="The request came under another name than COACHOPS_PUBLIC_URL, as it would in an attack on your browser.",
    ),
    ErrorSpec(
        "COACH-API-004",
        Kind.FORBIDDEN,
        "The request did not come from a page of this site.",
        "Open the page here and try again; programs send a bearer token and no Origin header.",
        why="Another site or an old page sent it, or a program sent neither a token nor this site's origin.",
    ),
    ErrorSpec(
        "COACH-API-005",
        Kind.TOO_LARGE,
        "The request is larger than {limit} bytes.",
        "Send less at once.",
        why="A file or form is far larger than anything that is expected there.",
    ),
    ErrorSpec(
        "COACH-API-006",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and send it again; /openapi.json describes what is expected.",
        why="A value is missing, of the wrong form or out of bounds.",
    ),
    ErrorSpec(
        "COACH-API-007",
        Kind.UNAVAILABLE,
        "The dashboards are starting.",
        "Wait a few seconds; a page in a browser asks again by itself.",
        who="admin",
        retryable=True,
        why="The suite was started or restarted a moment ago.",
    ),
    ErrorSpec(
        "COACH-API-008",
        Kind.NOT_FOUND,
        "The guide has not been built on this installation.",
        "Run 'make docs' or 'coachops demo' on that machine, then try again.",
        who="admin",
        why="The guide is built from the source tree, which was not done here yet.",
    ),
    ErrorSpec(
        "COACH-API-009",
        Kind.UNAVAILABLE,
        "This token made more than {limit} requests in a minute.",
        "Wait {seconds} seconds, then go on; the header RateLimit tells how many are left.",
        retryable=True,
        why="A program asks in a loop, or several share one token; COACHOPS_REQUESTS_PER_MINUTE is the limit.",
    ),
)
