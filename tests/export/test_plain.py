"""Reading over a connection that is open: what goes wrong in the middle is told as it was."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa

from coachops.db import Database
from coachops.export.datasets import DATASETS
from coachops.export.readers import read_batches

UTTERANCES = DATASETS["utterances"]
POSTGRES = pytest.mark.parametrize("backend", ["postgres"], indirect=True)


@POSTGRES
@pytest.mark.parametrize("place", [1, 2])
def test_what_the_server_refuses_in_the_middle_of_a_copy_is_told_by_the_server(
    organisation: Database, place: int
) -> None:
    """Rows are taken past the driver's own loop, so the end of them must be, too."""
    bad = sa.literal_column(f"1 / (utterances.position - {place})") > -9
    with organisation.connect() as connection, pytest.raises(psycopg.errors.DivisionByZero):
        list(read_batches(connection, UTTERANCES, bad))
    with organisation.connect() as connection:
        assert sum(batch.num_rows for batch in read_batches(connection, UTTERANCES)) > 100


@POSTGRES
def test_a_reader_who_wants_no_more_leaves_the_connection_usable(
    organisation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.export.readers.receiving.BATCH_ROWS", 3)
    with organisation.connect() as connection:
        batches = read_batches(connection, UTTERANCES)
        assert next(batches).num_rows == 3
        batches.close()  # type: ignore[attr-defined]  # a generator
    with organisation.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
