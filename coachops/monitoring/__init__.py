"""Monitoring, first cut: the figures of the admin overview, each with its n and its definition.

Invariants: no figure without a definition and the number it rests on; the running week is marked;
ids, counts and times only, no client's words. To add a figure: a function in `figures.py` that
returns a `Figure`, named in `overview()`.
"""

from coachops.monitoring.model import (
    CoachRow,
    Count,
    Failure,
    Figure,
    Fresh,
    Overview,
    Week,
)
from coachops.monitoring.overview import overview

__all__ = ["CoachRow", "Count", "Failure", "Figure", "Fresh", "Overview", "Week", "overview"]
