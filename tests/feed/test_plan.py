"""How PostgreSQL looks a page up after a load, while it has no statistics of what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.db import Database
from coachops.db.models import FeedMeta
from coachops.export import DATASETS
from coachops.export.feed import Seen, page, resume
from tests.feed.replica import SECRET

MANY = 500_000
"""With fewer it takes the index anyway: its guess for what follows grows with the table."""

LOAD = """
INSERT INTO change_log (pos, entity, entity_id, op, at)
SELECT n, 'utterances', md5(n::text)::uuid, 'U', timestamptz '2026-11-02'
FROM generate_series(1, :many) AS n
"""


@pytest.fixture
def loaded(new_database_url: Callable[..., str]) -> Iterator[Database]:
    """A feed with many entries that was never analysed, nor will be while the test runs."""
    database = Database(new_database_url("postgres"))
    with database.connect(write=True) as connection:
        connection.execute(sa.text("ALTER TABLE change_log SET (autovacuum_enabled = false)"))
        connection.execute(sa.text(LOAD), {"many": MANY})
        connection.execute(sa.update(FeedMeta).values(head_pos=MANY))
    yield database
    database.close()


def test_a_page_is_read_along_the_index_and_nothing_behind_it_is_collected(
    loaded: Database,
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM change_log" in statement and "LIMIT" in statement:
            asked.append((statement, parameters))

    seen = Seen(DATASETS["utterances"])
    with loaded.connect() as connection:
        at = resume(connection, seen, None, SECRET)
        sa.event.listen(connection, "before_cursor_execute", note)
        found = page(connection, seen, at, SECRET, 100)
        assert found.to_pos == 100
        ((question, parameters),) = asked
        plan = connection.exec_driver_sql(f"EXPLAIN {question}", parameters)
        told = "\n".join(plan.scalars())
    assert "Index Scan using" in told, told
    assert "Sort" not in told, told
