"""Privacy: what is held of a client, erasing them, legal holds, and how long things are kept.

Owns the register of places that can hold personal text (`places`), erasures and their journal,
holds and retention periods. Invariants: what `privacy show` counts is what an erasure deletes; while a
hold stands nothing of a client goes; an erased client does not come back by a restore or an import.
To add a table or a folder: a row in `places`, and where it holds clients' rows, in `rows.PARTS`.
"""

from coachops.privacy.erasing import (
    Erased,
    Held,
    by_external_id,
    erase,
    finish,
    list_erased,
    look,
    readmit,
)
from coachops.privacy.holds import Hold, add, list_holds, release
from coachops.privacy.issued import FolderExports, Issued, IssuedExports, RegisteredExports
from coachops.privacy.places import PLACES, Place, place_of_table
from coachops.privacy.retention import Period, Ran, list_periods, run_periods, set_period

__all__ = [
    "PLACES",
    "Erased",
    "FolderExports",
    "Held",
    "Hold",
    "Issued",
    "IssuedExports",
    "Period",
    "Place",
    "Ran",
    "RegisteredExports",
    "add",
    "by_external_id",
    "erase",
    "finish",
    "list_erased",
    "list_holds",
    "list_periods",
    "look",
    "place_of_table",
    "readmit",
    "release",
    "run_periods",
    "set_period",
]
