"""The database: engines, servers, transactions, the shared schema and its migrations.

Owns every difference between SQLite and PostgreSQL, and which of several servers is written to.
Invariants: reads see one moment; writes are whole, done once, and acknowledged only when confirmed;
constraints in the database mirror the validation above it.
The commonest addition is a column: change `models/<area>.py`, then `make migration m="…"`.
"""

from coachops.db.engine import Limits, client_url
from coachops.db.state import DatabaseState
from coachops.db.transaction import Database

__all__ = ["Database", "DatabaseState", "Limits", "client_url"]
