"""Names, e-mail addresses and telephone numbers are replaced before text leaves, and put back after.

Each distinct spelling gets its own placeholder (`[client-1]`, `[email-2]`), so that putting back is
exact. Names come from the roster; addresses and numbers are found by their form. This lowers what a
provider sees; it is no anonymisation: what is told between the lines stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"(?<![\w-])(?:\+|\(\d|\d)(?:[ ()./-]{0,2}\d){6,14}(?![\w-])")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACEHOLDER = re.compile(r"\[(?:coach|client|email|phone)-\d+\]")
# Given names that are also everyday words: only their capitalised form is taken for a name.
_ALSO_WORDS = frozenset(
    """
    amber angel april art august bill brook chance charity dawn dean dee don drew earl faith fern
    frank gene grace grant guy hazel heath holly honor hope hunter iris ivy jack jade joy june lance
    lane lily mark max may melody mercy miles misty nick olive page pat patience pearl penny peg
    ray reed rich rob robin rod rose ruby rusty sage sandy skip sonny sterling stone summer sunny
    sky terry tim trip violet wade will young
    """.split()  # noqa: SIM905 a list of quoted words would take eighty lines
)


@dataclass(frozen=True, slots=True)
class PrivateName:
    """A person of the roster. `role` (coach or client) becomes the word in the placeholder."""

    role: str
    name: str


@dataclass(slots=True)
class Redactor:
    """Replaces and puts back within one request.

    Parameters:
        names: people whose full name and its parts are replaced.
        texts: everything that will be replaced; placeholders that occur in it are not used.
    """

    names: Iterable[PrivateName]
    texts: Iterable[str]
    _by_surface: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _by_placeholder: dict[str, str] = field(default_factory=dict, init=False)
    _counts: dict[str, int] = field(default_factory=dict, init=False)
    _taken: set[str] = field(default_factory=set, init=False)
    _patterns: list[tuple[str, re.Pattern[str]]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for text in self.texts:
            self._taken.update(_PLACEHOLDER.findall(text))
        self._patterns = [("email", EMAIL), ("phone", PHONE)]
        for person in self.names:
            self._patterns.extend((person.role, pattern) for pattern in _patterns(person.name))

    def hide(self, text: str) -> str:
        """`text` with placeholders for everything private that was recognised."""
        spans: list[tuple[int, int, str]] = []
        for kind, pattern in self._patterns:
            for match in pattern.finditer(text):
                start, end = match.span()
                if kind == "phone" and _ISO_DATE.fullmatch(match.group()):
                    continue
                if start < end and all(end <= s or start >= e for s, e, _ in spans):
                    spans.append((start, end, kind))
        pieces: list[str] = []
        done = 0
        for start, end, kind in sorted(spans):
            pieces.append(text[done:start])
            pieces.append(self._placeholder(kind, text[start:end]))
            done = end
        pieces.append(text[done:])
        return "".join(pieces)

    def restore(self, text: str) -> str:
        """`text` with every placeholder of this request replaced by what stood there."""
        return _PLACEHOLDER.sub(lambda m: self._by_placeholder.get(m.group(), m.group()), text)

    def _placeholder(self, kind: str, surface: str) -> str:
        known = self._by_surface.get((kind, surface))
        if known is not None:
            return known
        while True:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            made = f"[{kind}-{self._counts[kind]}]"
            if made not in self._taken:
                break
        self._by_surface[kind, surface] = made
        self._by_placeholder[made] = surface
        return made


def _patterns(name: str) -> list[re.Pattern[str]]:
    """Patterns for the full name and for each part of two letters or more, longest first."""
    whole = " ".join(name.split())
    if not whole:
        return []
    parts = sorted(
        {part for part in re.split(r"[\s,]+", whole) if sum(c.isalpha() for c in part) > 1},
        key=lambda part: (-len(part), part),
    )
    spaced = r"\s+".join(re.escape(part) for part in whole.split())
    patterns = [re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)]
    for part in parts:
        flags = re.NOFLAG if part.casefold() in _ALSO_WORDS else re.IGNORECASE
        patterns.append(re.compile(rf"(?<!\w){re.escape(part)}(?!\w)", flags))
    return patterns
