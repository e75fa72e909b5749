"""Which of two forms of an answer a caller wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations


def prefers(accept: str, wanted: str, usual: str) -> bool:
    """Whether the caller names the media type `wanted` and likes it no less than `usual`.

    Parameters:
        accept: the header. What cannot be read in it counts as not said.
    """
    weights = dict(filter(None, map(_weighed, accept.lower().split(","))))
    named = weights.get(wanted, 0.0)
    kind = usual.partition("/")[0]
    other = next((weights[name] for name in (usual, f"{kind}/*", "*/*") if name in weights), 0.0)
    return named > 0 and named >= other


def _weighed(item: str) -> tuple[str, float] | None:
    """A media type and its weight from 0 to 1."""
    media, *parameters = (part.strip() for part in item.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return None
            return (media, weight) if 0 <= weight <= 1 else None
    return media, 1.0
