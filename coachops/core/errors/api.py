"""Requests over HTTP: codes COACH-API-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-API-001",
        Kind.NOT_FOUND,
        "There is nothing at this address.",
        "Check the address, or start from the home page.",
    ),
    ErrorSpec(
        "COACH-API-002",
        Kind.USAGE,
        "This address does not take the method {method}.",
        "The methods of every address are listed in /openapi.json.",
    ),
    ErrorSpec(
        "COACH-API-003",
        Kind.USAGE,
        "This site answers under {origin} only.",
        "Open that address instead.",
    ),
    ErrorSpec(
        "COACH-API-004",
        Kind.FORBIDDEN,
        "The request did not come from a page of this site.",
        "Open the page here and try again; programs send a bearer token and no Origin header.",
    ),
    ErrorSpec(
        "COACH-API-005",
        Kind.TOO_LARGE,
        "The request is larger than {limit} bytes.",
        "Send less at once.",
    ),
    ErrorSpec(
        "COACH-API-006",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value and send it again; /openapi.json describes what is expected.",
    ),
    ErrorSpec(
        "COACH-API-007",
        Kind.UNAVAILABLE,
        "The dashboards are starting.",
        "This page reloads itself; it takes a few seconds.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-API-008",
        Kind.NOT_FOUND,
        "The guide has not been built on this installation.",
        "Run 'make docs' (or 'coachops demo'), then reload.",
        who="admin",
    ),
)
