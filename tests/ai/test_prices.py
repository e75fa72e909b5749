"""Prices: a dated table, exact, and no guess for what is not in it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai import prices
from coachops.core import clock
from coachops.core.settings import Settings


def test_the_table_names_its_source_and_its_day() -> None:
    table = prices.table()
    assert table.source.startswith("https://")
    assert table.checked_on <= clock.today().isoformat()
    for name, price in table.models.items():
        assert price.cached_input <= price.input <= price.output, name


def test_the_default_model_has_a_price() -> None:
    assert prices.price_of(Settings.model_fields["openai_model"].default) is not None


@pytest.mark.parametrize(
    ("model", "tokens", "cost"),
    [
        ("gpt-5-mini", (1_000_000, 0, 0), 250_000),
        ("gpt-5-mini", (0, 1_000_000, 0), 2_000_000),
        ("gpt-5-mini", (1_000_000, 0, 1_000_000), 25_000),
        ("gpt-5-mini-2025-08-07", (1000, 500, 0), 1250),
        ("gpt-5-nano", (10, 0, 0), 1),  # half a millionth is rounded up
        ("house-model", (1000, 500, 0), None),
    ],
)
def test_costs_are_exact_to_a_millionth_of_a_dollar(
    model: str, tokens: tuple[int, int, int], cost: int | None
) -> None:
    assert prices.cost_microusd(model, *tokens) == cost


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_cache_never_makes_a_call_dearer(sent: int, received: int, cached: int) -> None:
    plain = prices.cost_microusd("gpt-4.1", sent, received)
    cheaper = prices.cost_microusd("gpt-4.1", sent, received, cached)
    assert plain is not None
    assert cheaper is not None
    assert 0 <= cheaper <= plain
    assert Decimal(plain) <= Decimal(sent) * 2 + Decimal(received) * 8 + 1
