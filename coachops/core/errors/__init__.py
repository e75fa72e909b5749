"""The catalogue of error codes: one file per area, joined here.

To add a code: a row in the area's file; its reference page regenerates.
"""

from __future__ import annotations

from coachops.core.errors import (
    ai,
    api,
    backup,
    coaching,
    database,
    export,
    feed,
    identity,
    inbound,
    issued,
    jobs,
    messages,
    privacy,
    quarantine,
    reporting,
    roster,
    system,
    transcripts,
    webhooks,
)
from coachops.core.errors.base import CoachError, ErrorSpec, Kind

CATALOGUE: dict[str, ErrorSpec] = {
    spec.code: spec
    for area in (
        ai,
        api,
        backup,
        coaching,
        database,
        export,
        feed,
        identity,
        inbound,
        issued,
        jobs,
        messages,
        privacy,
        quarantine,
        reporting,
        roster,
        system,
        transcripts,
        webhooks,
    )
    for spec in area.ROWS
}

__all__ = ["CATALOGUE", "CoachError", "ErrorSpec", "Kind"]
