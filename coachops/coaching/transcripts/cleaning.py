"""Cleaning within a file: the suite's one rule (`core.text`), with counts over the whole file."""

from __future__ import annotations

from collections import Counter

from coachops.core import text as core_text


def clean(text: str, counts: Counter[str]) -> str:
    """The text as it may be kept; `counts` grows by what was removed, by kind.

    Line feed, carriage return and tab stay: they structure the file.
    """
    cleaned = core_text.clean(text)
    counts.update(cleaned.removed)
    return cleaned.text
