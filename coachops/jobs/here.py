"""Exports that a command makes in its own process, written down like all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachops.core.errors import CoachError
from coachops.export.issued import ExportRequest, Issued, Owner, Registry
from coachops.export.issued.places import listing

if TYPE_CHECKING:
    from coachops.bootstrap import Services


def make_here(
    services: Services,
    owner: Owner,
    request: ExportRequest,
    out: Path,
    make: Callable[[str], dict[str, Any]],
    undo: Callable[[Issued], object],
) -> dict[str, Any]:
    """Have an export made, so that erasures know of it while it is made and afterwards.

    Parameters:
        out: the folder of the bundle.
        make: makes it under the id that it is given; returns its manifest.
        undo: removes what was made, some of which may be gone.

    Raises:
        CoachError: COACH-EXP-003 where another export goes to the same place at this moment;
            COACH-EXP-044 where somebody cancelled it meanwhile, such as an erasure: then nothing is
            left of it.
    """
    registry = Registry(services.database)
    row, _ = registry.create(
        owner, request, place=str(out.absolute()), managed=False, state="running"
    )
    made = False
    try:
        manifest = make(str(row.id))
        made = True
        files = listing(out, manifest)  # whoever cancels it takes them away
    except BaseException as error:
        known = error if isinstance(error, CoachError) else CoachError("COACH-EXP-052")
        registry.fail(row.id, known)
        if registry.get(owner, str(row.id)).state == "cancelled":
            if made:
                undo(row)
            raise CoachError("COACH-EXP-044", ref=row.id) from error
        raise
    if not registry.finish(row.id, manifest, files):
        undo(row)
        raise CoachError("COACH-EXP-044", ref=row.id)
    return manifest
