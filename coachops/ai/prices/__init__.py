"""What a call of a model costs: a dated table (`openai.json`), exact decimals, never through float.

Invariants: a model that is not in the table has no price (None), never a guess.
To add a model: a row in the JSON file with the price page's figures, and a new `checked_on`.
"""

from __future__ import annotations

import functools
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class ModelPrice(BaseModel):
    """US dollars for `per_tokens` tokens of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(ge=0)
    cached_input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class PriceTable(BaseModel):
    """The table as it lies in the file; `checked_on` says how old the figures are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    source: str = Field(pattern=r"^https://")
    checked_on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    note: str
    currency: str = Field(pattern=r"^USD$")
    per_tokens: int = Field(gt=0)
    models: dict[str, ModelPrice]


@functools.cache
def table() -> PriceTable:
    """The price table of the engine `openai`."""
    text = resources.files(__package__).joinpath("openai.json").read_text("utf-8")
    return PriceTable.model_validate(json.loads(text, parse_float=Decimal))


def price_of(model: str) -> ModelPrice | None:
    """The price of `model`, dated snapshots (`…-2026-08-07`) included; None where not known."""
    models = table().models
    return models.get(model) or models.get(_SNAPSHOT.sub("", model))


def cost_microusd(
    model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0
) -> int | None:
    """Millionths of a US dollar for a call, rounded half up; None where the price is not known.

    Parameters:
        cached_tokens: the part of `input_tokens` that the service had in its cache.
    """
    price = price_of(model)
    if price is None:
        return None
    cached = min(cached_tokens, input_tokens)
    dollars = (
        price.input * (input_tokens - cached)
        + price.cached_input * cached
        + price.output * output_tokens
    ) / table().per_tokens
    return int((dollars * 1_000_000).to_integral_value(ROUND_HALF_UP))


def ceiling_microusd(
    model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0
) -> int:
    """As `cost_microusd`; a model that has no known price counts as the dearest one.

    For limits of spending, which are kept on the safe side.
    """
    known = cost_microusd(model, input_tokens, output_tokens, cached_tokens)
    if known is not None:
        return known
    models = table().models
    return max(
        cost_microusd(each, input_tokens, output_tokens, cached_tokens) or 0 for each in models
    )
