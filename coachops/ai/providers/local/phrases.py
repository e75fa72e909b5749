"""Phrase tables and how they are looked up.

A table row (`Cue`) names a piece of wording and what it speaks for. Phrases are written as a reader
would: `would|could you` has alternatives, `{pronoun}` names a list below. They are compiled once into
a tree of tokens, so that looking up all of them costs one dictionary access per word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

LISTS = {
    "pronoun": "i|you|we|they|he|she|it|that|this|there",
    "subject": "i|you|we|they|he|she|it|that|this|these|those|there|your|the|my|any|anything|"
    "anyone|anybody|everything|somebody|someone|people|some|our|his|her",
    "aux": "do|does|did|are|is|am|was|were|have|has|had|can|could|would|will|should|may|might|"
    "don't|doesn't|didn't|aren't|isn't|wasn't|weren't|haven't|hasn't|couldn't|wouldn't|can't|won't",
    "wh": "what|how|why|where|when|who|which|whose",
    "you": "you|you're|you've|you'd|you'll|your|yours",
}


@dataclass(frozen=True, slots=True)
class Cue:
    """One row of a table.

    Attributes:
        name: what the wording is, for people and for tests.
        phrases: the wordings, separated by `;`.
        start: True where the wording counts only at the beginning of a sentence.
        weights: what a hit adds per class, keys `q r i o`.
    """

    name: str
    phrases: str
    start: bool = False
    weights: dict[str, float] = field(default_factory=dict)


class _Node(dict[str, "_Node"]):
    """A token of the tree; `hits` are the rows that end here."""

    __slots__ = ("hits",)

    def __init__(self) -> None:
        super().__init__()
        self.hits: tuple[int, ...] = ()


class PhraseTree:
    """All phrases of a table, to be found in a list of tokens.

    Parameters:
        rows: pairs of row number and the `;`-separated phrases of that row.
    """

    def __init__(self, rows: Iterable[tuple[int, str]]) -> None:
        self._rows = tuple(rows)

    @cached_property
    def _root(self) -> _Node:
        """Built when first needed: importing the engine must cost nothing."""
        root = _Node()
        for number, phrases in self._rows:
            for phrase in phrases.split(";"):
                for words in _expand(phrase):
                    node = root
                    for word in words:
                        if word not in node:
                            node[word] = _Node()
                        node = node[word]
                    node.hits = (*node.hits, number)
        return root

    def at(self, tokens: Sequence[str], index: int, hits: set[int]) -> None:
        """Add to `hits` the rows whose phrases begin at token `index`."""
        node: _Node | None = self._root
        for position in range(index, len(tokens)):
            node = node.get(tokens[position]) if node is not None else None
            if node is None:
                return
            if node.hits:
                hits.update(node.hits)

    def anywhere(self, tokens: Sequence[str], hits: set[int]) -> None:
        """Add to `hits` the rows whose phrases stand anywhere in `tokens`."""
        root = self._root
        for index, token in enumerate(tokens):
            if token in root:
                self.at(tokens, index, hits)


def _expand(phrase: str) -> Iterable[tuple[str, ...]]:
    choices = []
    for word in phrase.split():
        for name, members in LISTS.items():
            word = word.replace("{" + name + "}", members)  # noqa: PLW2901 expanded step by step
        choices.append([None if option == "-" else option for option in word.split("|")])
    for words in itertools.product(*choices):
        kept = tuple(word for word in words if word is not None)
        if kept:
            yield kept
