"""What could name or reach a person is replaced before text leaves, and put back after.

Names come from the roster; everything else is found by its form (`private_forms`). Each distinct
spelling gets its own placeholder (`[client-1]`, `[email-2]`), so that putting back is exact. Rather
too much is replaced than too little: it costs nothing, since it comes back. This lowers what a
provider sees; it is no anonymisation: what is told between the lines stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from coachops.ai.private_forms import FORMS, KINDS

_ROLES = ("coach", "client", "person")
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join((*_ROLES, *KINDS))})-\d+\]")
_WORD = re.compile(r"\w+")
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
    """A person of the roster. `role` (coach, client, person) becomes the word in the placeholder.

    Coach and client of the session are known by each part of their names, any other `person` by the
    full name only: half of all given names of a large roster are words of somebody's story.
    """

    role: str
    name: str


def mentioned(names: Iterable[str], texts: Iterable[str]) -> tuple[PrivateName, ...]:
    """Those of a roster whose full names (two words or more) are said in the texts, sorted.

    One pass over the words, however long the roster is.
    """
    known: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name in names:
        words = tuple(_WORD.findall(_plain(name)))
        if len(words) > 1:
            known.setdefault(words[0], []).append((words, name))
    found: set[str] = set()
    for text in texts if known else ():
        words_said = _WORD.findall(_plain(text))
        for at, word in enumerate(words_said):
            for words, name in known.get(word, ()):
                if tuple(words_said[at : at + len(words)]) == words:
                    found.add(name)
    return tuple(PrivateName("person", name) for name in sorted(found))


@dataclass(slots=True)
class Redactor:
    """Replaces and puts back within one request.

    Parameters:
        names: people whose names are replaced.
        texts: everything that will be replaced; placeholders that occur in it are not used.
    """

    names: Iterable[PrivateName]
    texts: Iterable[str]
    _by_surface: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _by_placeholder: dict[str, str] = field(default_factory=dict, init=False)
    _counts: dict[str, int] = field(default_factory=dict, init=False)
    _taken: set[str] = field(default_factory=set, init=False)
    _people: list[tuple[str, re.Pattern[str]]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for text in self.texts:
            self._taken.update(_PLACEHOLDER.findall(text))
        for person in self.names:
            self._people.extend((person.role, pattern) for pattern in _patterns(person))

    def hide(self, text: str) -> str:
        """`text` with placeholders for everything private that was recognised."""
        spans: list[tuple[int, int, str]] = []
        for start, end, kind in self._found(text):
            for piece_start, piece_end in _uncovered(start, end, spans):
                if any(c.isalnum() for c in text[piece_start:piece_end]):
                    spans.append((piece_start, piece_end, kind))
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

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        """What is private, the surest kind first; what was found before keeps its words."""
        for find in FORMS:
            yield from find(text)
        for role, pattern in self._people:
            for match in pattern.finditer(text):
                yield (*match.span(), role)

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


def _uncovered(
    start: int, end: int, spans: Iterable[tuple[int, int, str]]
) -> list[tuple[int, int]]:
    """The pieces of a match that no earlier one covers: none of its words may slip through."""
    pieces = []
    for taken_start, taken_end, _ in sorted(spans):
        if taken_end <= start or taken_start >= end:
            continue
        if taken_start > start:
            pieces.append((start, taken_start))
        start = max(start, taken_end)
    if start < end:
        pieces.append((start, end))
    return pieces


def _plain(text: str) -> str:
    """Without case and accents, as a hasty typist or a speech recogniser writes a name."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _patterns(person: PrivateName) -> list[re.Pattern[str]]:
    """Patterns for the full name and, of coach and client, for each part of two letters or more."""
    whole = " ".join(person.name.split())
    if not whole:
        return []
    spellings = list(dict.fromkeys([whole, _without_accents(whole)]))
    between = r"[\s,.-]+"
    whole_names = (between.join(re.escape(part) for part in each.split()) for each in spellings)
    patterns = [re.compile(rf"(?<!\w){each}(?!\w)", re.IGNORECASE) for each in whole_names]
    if person.role == "person":
        return patterns
    parts = {
        part
        for each in spellings
        for part in re.split(r"[\s,]+", each)
        if sum(c.isalpha() for c in part) > 1
    }
    for part in sorted(parts, key=lambda part: (-len(part), part)):
        flags = re.NOFLAG if part.casefold() in _ALSO_WORDS else re.IGNORECASE
        patterns.append(re.compile(rf"(?<!\w){re.escape(part)}(?!\w)", flags))
    return patterns


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))
