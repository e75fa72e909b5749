"""Speech for the benchmark: as long, as varied and as hard to compress as what people say.

The made-up organisation knows some 600 sentences. Three million rows of them are a gift to whoever
keeps a dictionary, which conversation is not: of the 4,598 utterances of AnnoMI, 78 % are distinct.
So each row gets a length from real dialogues, and words from them in pieces of two to four.
"""

from __future__ import annotations

import zlib
from random import Random

from coachops.coaching.transcripts import read
from coachops.core.errors import CoachError
from tests.conftest import ANNOMI, ROOT

SAMPLES = ROOT / "samples"

_SHORT = 3
"""Utterances of so few words are taken as they are: everybody says "Yes." again and again."""


def real() -> list[str]:
    """What was said in real dialogues, or in the sample transcripts where those are not there."""
    folder = ANNOMI if ANNOMI.is_dir() else SAMPLES
    said: list[str] = []
    for path in sorted(folder.rglob("*.vtt")):
        try:
            transcript = read(path.read_bytes(), path.name)
        except CoachError:
            continue
        said += [cue.text for cue in transcript.cues]
    return said


class Talk:
    """Tells something else in place of a sentence; equal seeds tell the same."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)  # noqa: S311 reproducible, not secret
        self._said = real()
        self._words = " ".join(self._said).split()
        self._lengths = [len(text.split()) for text in self._said]

    def __call__(self, _sentence: str) -> str:
        rng, words = self._rng, self._words
        place = int(rng.random() * len(self._said))
        left = self._lengths[place]
        if left <= _SHORT:
            return self._said[place]
        pieces: list[str] = []
        last = len(words) - 4
        while left > 0:
            size = min(left, 2 + int(rng.random() * 3))
            start = int(rng.random() * last)
            pieces += words[start : start + size]
            left -= size
        return " ".join(pieces)


def described(texts: list[str]) -> str:
    """Number, distinct share, mean length and how far a general compressor gets, for a person."""
    joined = "\n".join(texts).encode()
    return (
        f"{len(texts)} utterances, {len(set(texts)) / len(texts):.0%} distinct, "
        f"{len(joined) / len(texts):.0f} bytes on average, "
        f"compressed {len(joined) / len(zlib.compress(joined, 6)):.1f}x"
    )


if __name__ == "__main__":
    found = real()
    talk = Talk(1)
    print("real:", described(found))
    print("ours:", described([talk("") for _ in found]))
