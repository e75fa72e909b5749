"""Reading whole datasets, which takes as long as it takes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def no_time_limit(connection: Connection) -> None:
    """The suite's limit of a minute per statement is for requests; a big table takes more."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL jit = off"))  # takes longer here than it saves
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
