"""The database: engines, transactions, the shared schema and its migrations.

Owns every difference between SQLite and PostgreSQL. Invariants: reads see one moment; writes are
whole; constraints in the database mirror the validation above it.
The commonest addition is a column: change `models/<area>.py`, then `make migration m="…"`.
"""

from coachops.db.transaction import Database

__all__ = ["Database"]
