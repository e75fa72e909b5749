"""The one text of a JSON value, so that equal values have equal bytes in every format."""

from __future__ import annotations

import json


def canonical_json(value: object) -> str:
    """Keys sorted, no spaces, nothing escaped that need not be.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def canonical_text(text: str) -> str | None:
    """The canonical text of JSON as a database holds it; None for the JSON value null.

    Raises:
        ValueError: it is no JSON, or a number is infinite or not a number.
    """
    value = json.loads(text)
    return None if value is None else canonical_json(value)
