"""Backup and recovery: codes COACH-BKP-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec

ROWS: tuple[ErrorSpec, ...] = ()
