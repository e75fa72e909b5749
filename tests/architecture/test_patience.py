"""Tests wait by one measure, and the product's own limits are long unless a test is about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coachops.db import Database, Limits, transaction
from coachops.webhooks import sending
from tests.support import patience
from tests.support.commands import run_forked
from tests.support.patience import PATIENCE

TESTS = Path(__file__).resolve().parents[1]
OWN_LIMIT = re.compile(r"(?:\btimeout=|settimeout\(|\.wait\(|\.join\()(?:[2-9]|\d\d)")
SHOWN = "from coachops.webhooks import sending; print(sending.DEADLINE)"


def test_no_test_gives_up_by_a_figure_of_its_own() -> None:
    waits = [
        f"{path.relative_to(TESTS)}:{number}: {line.strip()}"
        for path in sorted(TESTS.rglob("*.py"))
        if not {".venv", "node_modules"} & set(path.parts)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if OWN_LIMIT.search(line)
    ]
    assert waits == []


def test_limits_of_the_product_are_long_here_and_in_commands() -> None:
    assert patience.are_long()
    assert sending.DEADLINE == PATIENCE
    database = Database("sqlite://")
    assert (database.limits.wait, database.limits.pool_wait) == (PATIENCE, PATIENCE)
    assert vars(transaction)["Limits"](wait=1.0).wait == 1.0  # what a test chose stays
    database.close()
    assert run_forked("-c", SHOWN, env={}).stdout == f"{PATIENCE}\n"


@pytest.mark.limits
def test_under_the_mark_they_are_the_products_own() -> None:
    assert not patience.are_long()
    assert sending.DEADLINE == 15
    assert vars(transaction)["Limits"] is Limits
    assert run_forked("-c", SHOWN, env={}).stdout == "15.0\n"
