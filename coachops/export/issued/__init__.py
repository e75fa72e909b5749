"""Exports that were asked for: what somebody may have, the record of it, and where the files lie.

Owns `issued_exports`. Invariants: a request is checked and narrowed to the caller's grant before it
is written down, with ids instead of addresses; the row outlives the files; only its owner (and an
admin) sees it. To add something that can be asked for: a field of `ExportRequest`.
"""

from coachops.export.issued.model import Issued, Owner, Standing
from coachops.export.issued.narrowing import narrowed
from coachops.export.issued.places import Place, open_place
from coachops.export.issued.registry import Registry
from coachops.export.issued.request import ExportRequest, check_request

__all__ = [
    "ExportRequest",
    "Issued",
    "Owner",
    "Place",
    "Registry",
    "Standing",
    "check_request",
    "narrowed",
    "open_place",
]
