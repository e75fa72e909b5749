"""What the talk kept coming back to: short labels made of repeated words, each with its places.

A theme is a word or a pair of neighbouring words that carries a topic (no stop word, no filler, no
name, no weekday) and was said in several utterances of coach or client. Nothing is inferred: a label
consists of words as they were spoken.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from coachops.ai.types import Citation, CitedText, Speaker, Utterance

from .text import STOP_WORDS, Sentence, crude_stem, has_redaction, shorten, spans, word_set

MAX_THEMES = 5
_CITATIONS = 3
_MIN_WORD = 3
_MIN_PAIR = 2
_CANDIDATES = 40

# Beside the stop words: too general for a label.
_GENERAL = word_set("""
    time times today tomorrow yesterday day days week weeks month months year years hour hours minute
    minutes moment morning evening night monday tuesday wednesday thursday friday saturday sunday
    january february march april june july august september october november december weekend
    start started starting stop stopped help helped helps happen happened happens keep kept call called
    give gave given giving find found work working worked works show showed turn turned use used using
    bring brought leave left move moved change changed deal end part point question questions idea ideas
    example reason reasons place case number person guy man woman lady kid guys everyday sometimes today
    big small long short good better best bad worse worst hard easy new old whole different same true
    important able happy glad sure nice interesting notice noticed wonder wondering remember believe
    understand understood care matter matters mind life session coach client conversation word words
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
    million percent first second third half couple send sends sent sending past late front aye run runs ran running o'clock
    answer write wrote written read speak spoke speaking listen listening live living half later soon
    ready willing based okay'd course stay stayed sit sitting wait waiting hope hoping play decide decided
    feelings feeling ago along across far per via onto within without whether being having makes sense
    month's day's week's what's that's it's i'm you're they're don't didn't doesn't can't won't isn't
    now huh mmh self certain interested concerned concern concerns confident appreciate thinking cut rid set
    quarter early extra expect expected chance try
    unintelligible inaudible crosstalk redacted honest honestly fact side line step steps top way
    """)


_NOT_ADVERBS = word_set(
    "quarterly monthly weekly yearly elderly friendly family ally bully reply supply belly daily assembly monopoly"
)


class Theme(NamedTuple):
    """A theme with the stems that make it, for weighing sentences."""

    cited: CitedText
    stems: frozenset[str]
    weight: int


def find_themes(utterances: Sequence[Utterance], spoken: Sequence[list[Sentence]]) -> list[Theme]:
    """Up to five themes, the most frequent first."""
    words: dict[str, list[int]] = defaultdict(list)
    pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
    surface: dict[str, Counter[str]] = defaultdict(Counter)
    for index, utterance in enumerate(utterances):
        if utterance.speaker is Speaker.OTHER:
            continue
        for sentence in spoken[index]:
            before: str | None = None
            for token in sentence.tokens:
                if not _carries_topic(token):
                    before = None
                    continue
                stem = crude_stem(token)
                surface[stem][token] += 1
                _note(words[stem], index)
                if before is not None and before != stem:
                    _note(pairs[before, stem], index)
                before = stem
    ranked = _rank(words, pairs)
    return _label(utterances, ranked, surface)


def _carries_topic(token: str) -> bool:
    return (
        len(token) > 2
        and token not in STOP_WORDS
        and token not in _GENERAL
        and "'" not in token
        and not (token.endswith("ly") and token not in _NOT_ADVERBS)
        and not token[0].isdigit()
    )


def _note(places: list[int], index: int) -> None:
    """Count an utterance once, however often it says the word."""
    if not places or places[-1] != index:
        places.append(index)


_Ranked = list[tuple[tuple[str, ...], list[int]]]


def _rank(words: dict[str, list[int]], pairs: dict[tuple[str, str], list[int]]) -> _Ranked:
    """Candidates, the strongest first; a pair counts double as it says more than a word."""
    found: list[tuple[int, tuple[str, ...], list[int]]] = [
        (2 * len(places), pair, places)
        for pair, places in pairs.items()
        if len(places) >= _MIN_PAIR
    ]
    found += [
        (len(places), (word,), places) for word, places in words.items() if len(places) >= _MIN_WORD
    ]
    found.sort(key=lambda each: (-each[0], each[2][0], each[1]))
    return [(stems, places) for _, stems, places in found[:_CANDIDATES]]


def _label(
    utterances: Sequence[Utterance], ranked: _Ranked, surface: dict[str, Counter[str]]
) -> list[Theme]:
    themes: list[Theme] = []
    used: set[str] = set()
    for stems, places in ranked:
        if len(themes) == MAX_THEMES:
            break
        if not used.isdisjoint(stems):
            continue
        options = [_commonest(surface[stem]) for stem in stems]
        cited = _cite(utterances, stems, places)
        if len(cited) < 2 or (len(stems) == 1 and _is_name(options[0], utterances, places)):
            continue
        label = " ".join(options) if len(stems) == 1 else _pair_label(cited, options)
        themes.append(
            Theme(
                CitedText(text=label, citations=[each for each, _ in cited[:_CITATIONS]]),
                frozenset(stems),
                len(places),
            )
        )
        used.update(stems)
    return themes


def _commonest(forms: Counter[str]) -> str:
    return min(forms.items(), key=lambda each: (-each[1], len(each[0]), each[0]))[0]


def _pair_label(cited: list[tuple[Citation, str]], options: list[str]) -> str:
    forms = Counter(label for _, label in cited)
    return _commonest(forms) if forms else " ".join(options)


def _cite(
    utterances: Sequence[Utterance], stems: tuple[str, ...], places: Sequence[int]
) -> list[tuple[Citation, str]]:
    """Literal sentences that hold the theme, with the words as said there."""
    wanted = re.compile(
        r"\b" + r"[\s,]+".join(rf"{re.escape(stem.removesuffix('y'))}\w*" for stem in stems),
        re.IGNORECASE,
    )
    found: list[tuple[Citation, str]] = []
    for index in places[:20]:
        utterance = utterances[index]
        for sentence in spans(utterance.text):
            match = wanted.search(sentence)
            if match is None or has_redaction(sentence):
                continue
            quote = shorten(sentence)
            if match.end() > len(quote):
                quote = shorten(sentence[match.start() :])
            citation = Citation(position=utterance.position, speaker=utterance.speaker, quote=quote)
            said = re.split(r"[\s,]+", match.group())
            if match.start() == 0 and not (
                len(said) > 1 and all(word[0].isupper() for word in said)
            ):
                said = [word.lower() for word in said]  # a capital only because a sentence starts
            found.append((citation, " ".join(said)))
            break
        if len(found) == 8:
            break
    return found


def _is_name(word: str, utterances: Sequence[Utterance], places: Sequence[int]) -> bool:
    """Whether the word is always written with a capital, also inside sentences: a name."""
    pattern = re.compile(rf"(?<=[\w,] ){re.escape(word)}\b", re.IGNORECASE)
    inside = [m.group() for index in places[:20] for m in pattern.finditer(utterances[index].text)]
    return bool(inside) and all(each[0].isupper() for each in inside)
