"""What could not be accepted: codes COACH-QRN-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec

ROWS: tuple[ErrorSpec, ...] = ()
