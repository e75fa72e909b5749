"""Capturing changes: triggers that note the key of every row that changes, whoever changes it.

Owns which tables are watched (`tracked.py`) and the triggers of both databases. Invariants: no writer
can pass by them (raw SQL, COPY, cascades and INSERT OR REPLACE are noted, too); they note keys, never
words; a scope that is left is noted as well as the one entered. To watch a table: a row in
`tracked.py`; the next migration makes its triggers.
"""

from coachops.db.capture.installing import install, note_ended, relog, remove
from coachops.db.capture.tracked import TRACKED, Tracked, source_tables

__all__ = ["TRACKED", "Tracked", "install", "note_ended", "relog", "remove", "source_tables"]
