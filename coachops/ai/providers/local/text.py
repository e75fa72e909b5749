"""Words and sentences of spoken text: what every rule of the engine reads.

Transcripts of talk hold stutters ("I-I feel"), fillers, cut words and bracketed sounds. `sentences`
returns lower-case tokens without them; `crude_stem` and `STOP_WORDS` make content words comparable.
Everything is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


def word_set(words: str) -> frozenset[str]:
    """The words of a table, written with spaces between them."""
    return frozenset(words.split())


class Sentence(NamedTuple):
    """A sentence as lower-case tokens.

    Attributes:
        tokens: words without fillers, stutters and punctuation.
        end: the closing mark: `.`, `?`, `!`, `-` (broken off) or empty (none written).
    """

    tokens: list[str]
    end: str


FILLERS = word_set("um uh er erm ah uhm umm hmm hm mhm uhh eh mm")

# Words that say nothing about the topic. Grouped so that a reader can see what is meant.
STOP_WORDS = word_set("""
    a an the this that these those here there some any each every all both either neither none such
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself
    it its itself we us our ours ourselves they them their theirs themselves one ones someone
    somebody anyone anybody everyone everybody nobody something anything everything nothing people
    who whom whose which what when where why how whatever whenever
    am is are was were be been being do does did doing done have has had having can could will would
    shall should may might must ought need needs used get gets got getting gotten go goes going gone
    went come comes came coming gonna wanna gotta let lets make makes made making take takes took
    and or but so because if then than though although while until unless since as of at by for with
    about against between into through during before after above below to from up down in out on off
    over under again further once not no nor only own same too very just also even ever never always
    still yet already quite rather almost really actually basically literally honestly obviously
    definitely probably maybe perhaps certainly absolutely totally completely exactly pretty kind
    kinda sort sorta bit lot lots little much many more most less least few several enough another
    other others else around back away together
    yes yeah yep yup no nope nah ok okay right alright sure fine good great well oh wow hey hi hello
    bye thanks thank please sorry welcome cool nice
    um uh er erm ah uhm umm hmm hm mhm mm like mean means know knows knew think thinks thought guess
    suppose say says said saying tell tells told talk talks talked talking ask asked feel feels felt
    feeling see sees saw seen look looks looked looking hear hears heard sound sounds sounded want
    wants wanted wanting seem seems seemed try tries tried trying put puts thing things stuff way
    ways anyway cause 'cause cuz able next last first
    """)

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2013": "-"})
_BRACKETED = re.compile(r"\[[^\[\]]{0,200}\]")
# "I-I-I", "you- you", "that's-that's": the same word again after a dash.
_STUTTER = re.compile(r"\b([\w']{1,20})(?:- ?\1\b)+")
# "wh-what", "s-surprised": the beginning of the word that follows.
_FALSE_START = re.compile(r"\b(\w{1,3})-(?=\1\w)")
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W_]+(?:'[^\W_]+)*|'cause|[.?!\u2026]+|--+|\u2014")
_TITLES = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs"})


def plain(text: str) -> str:
    """Lower-case text with straight apostrophes, without bracketed sounds, stutters, false starts."""
    lowered = text.lower().translate(_APOSTROPHES)
    if "[" in lowered:
        lowered = _BRACKETED.sub(" ", lowered)
    if "-" in lowered:
        lowered = _FALSE_START.sub("", _STUTTER.sub(r"\1", lowered))
    return lowered


def sentences(text: str) -> list[Sentence]:
    """The sentences of an utterance; empty where nothing but sounds was said."""
    found: list[Sentence] = []
    tokens: list[str] = []
    for token in _TOKEN.findall(plain(text)):
        mark = token[0]
        if mark not in ".?!-\u2026\u2014":
            if token not in FILLERS:
                tokens.append(token)
            continue
        if mark == "." and tokens and tokens[-1] in _TITLES:
            continue
        if tokens:
            found.append(Sentence(tokens, "?" if "?" in token else _end(mark)))
            tokens = []
        elif found and "?" in token:
            found[-1] = Sentence(found[-1].tokens, "?")
    if tokens:
        found.append(Sentence(tokens, ""))
    return found


def _end(mark: str) -> str:
    return "-" if mark in "-\u2014\u2026" else mark


_SUFFIXES = ("ingly", "edly", "ing", "ied", "ies", "ed", "es", "ly", "s")


@lru_cache(maxsize=65536)
def crude_stem(word: str) -> str:
    """A word without its commonest English endings: `drinking` and `drinks` become `drink`."""
    word = word.partition("'")[0] if "'" in word else word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            base = word[: -len(suffix)]
            if suffix in {"ied", "ies"}:
                return base + "y"
            if suffix == "s" and base.endswith("s"):
                return word
            if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "aeiousl":
                return base[:-1]
            return base.removesuffix("e")
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def content_stems(tokens: Iterable[str]) -> set[str]:
    """The stems of the words that carry the topic."""
    return {
        crude_stem(token)
        for token in tokens
        if token not in STOP_WORDS and len(token) > 2 and not token.startswith("'")
    }


# Repetitions are bounded so that no run of marks makes the search slow.
_SENTENCE_END = re.compile(r"[.!?\u2026]{1,8}[\"'\u201d\u2019)]{0,3}(?=\s|$)|[\r\n]+|-{2,}|\u2014")
# Talk without any full stop is cut after this many characters, at a space.
_LONGEST = 600
_REDACTED_MARK = re.compile(r"\[\s*redacted\s*\]", re.IGNORECASE)
# Longest quote shown; longer ones end at the last whole word.
MAX_QUOTE = 220


def has_redaction(text: str) -> bool:
    """Whether a span was taken out of this text."""
    return "[" in text and _REDACTED_MARK.search(text) is not None


def spans(text: str) -> list[str]:
    """The sentences of an utterance as literal pieces of it, in order, trimmed of outer spaces."""
    pieces: list[str] = []
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        before = text[max(start, mark.start() - 6) : mark.start()].lower()
        if mark.group() == "." and before.rpartition(" ")[2] in _TITLES:
            continue
        pieces.extend(_cut(text[start : mark.end()].strip().rstrip("-\u2014").rstrip()))
        start = mark.end()
    pieces.extend(_cut(text[start:].strip()))
    return pieces


def _cut(piece: str) -> list[str]:
    parts = []
    start, end = 0, len(piece)
    while end - start > _LONGEST:
        at = piece.rfind(" ", start + 1, start + _LONGEST)
        stop = at if at > start else start + _LONGEST
        parts.append(piece[start:stop].strip())
        start = stop
    parts.append(piece[start:].strip())
    return [part for part in parts if part]


def shorten(quote: str, limit: int = MAX_QUOTE) -> str:
    """The beginning of a quote, ending at a whole word: still a literal piece of the text."""
    if len(quote) <= limit:
        return quote
    cut = quote[:limit]
    return (cut.rpartition(" ")[0] or cut).rstrip()
