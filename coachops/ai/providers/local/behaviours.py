"""What a coach does in each utterance: question, reflection, input or other.

Each utterance starts with a prior and collects points per class: from the wordings in `cues.TABLE`,
from how it is built and what the client does around it (`cues.FORM`). The class with most points
wins; equal points go to the earlier one in `CLASSES`. All numbers are set by hand; nothing is
trained, so the same text always gets the same class.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from coachops.ai.types import Behaviour, CoachBehaviour, Speaker, Utterance

from . import cues
from .phrases import LISTS, PhraseTree
from .text import Sentence, content_stems, sentences

CLASSES = (Behaviour.QUESTION, Behaviour.REFLECTION, Behaviour.INPUT, Behaviour.OTHER)
_QUESTION = 0

_START = PhraseTree((n, cue.phrases) for n, cue in enumerate(cues.TABLE) if cue.start)
_ANYWHERE = PhraseTree((n, cue.phrases) for n, cue in enumerate(cues.TABLE) if not cue.start)
_WEIGHTS = tuple(tuple(cue.weights.get(key, 0.0) for key in "qrio") for cue in cues.TABLE)
_ROW = {cue.name: n for n, cue in enumerate(cues.TABLE)}
_WH = _ROW["asks with a question word"]
_INVERTED = _ROW["asks by inversion"]
_TELL = _ROW["asks to tell"]
_ASKS = frozenset({_WH, _INVERTED, _TELL})
_FORMS_OF_QUESTION = _ASKS | {_ROW["question word and inversion inside"]}
_STEM = _ROW["reflection stem"]
_BEGINS_WITH_CLIENT = _ROW["begins with the client"]

_OPEN_START = PhraseTree([(0, cues.OPEN_START), (1, cues.CLOSED)])
_OPEN_ANYWHERE = PhraseTree([(0, cues.OPEN_ANYWHERE), (1, cues.CLOSED)])

_YOU = frozenset(LISTS["you"].split("|"))
_I = frozenset({"i", "i'm", "i'll", "i'd", "i've", "my"})
_WE = frozenset({"we", "we'll", "we're", "we've", "our"})
_STATES = frozenset({"it", "it's", "that", "that's", "the"})
_DASHES = ("-", "\u2014", "\u2013", "\u2026", "...")
# How many client utterances back a coach's words are compared with.
_MEMORY = 4
# Two coach utterances further apart than this are not halves of one turn.
_HALVES_APART = 2


class _Points:
    """Points per class, in the order of `CLASSES`."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = list(cues.FORM["prior"])

    def add(self, weights: Sequence[float], factor: float = 1.0) -> None:
        values = self.values
        for n, weight in enumerate(weights):
            values[n] += weight * factor

    def form(self, name: str, factor: float = 1.0) -> None:
        self.add(cues.FORM[name], factor)

    def above_mean(self, factor: float) -> list[float]:
        mean = sum(self.values) / len(self.values)
        return [(value - mean) * factor for value in self.values]


def classify(utterances: Sequence[Utterance]) -> list[CoachBehaviour]:
    """One behaviour per coach utterance, in order.

    `open_question` is set for questions that invite the client to tell, judged by wording alone: they
    begin with what, how or why (not "how many", "how often", "why don't you" and the like) or ask to
    tell, describe or explain. A question to be answered by yes or no, a number, a name, a time or a
    place is closed.
    """
    return classify_sentences(utterances, [sentences(each.text) for each in utterances])


def classify_sentences(
    utterances: Sequence[Utterance], spoken: Sequence[list[Sentence]]
) -> list[CoachBehaviour]:
    """As `classify`, where the sentences of each utterance were found before."""
    result = []
    for index, points in _score(utterances, spoken):
        best = points.index(max(points))
        result.append(
            CoachBehaviour(
                position=utterances[index].position,
                behaviour=CLASSES[best],
                open_question=best == _QUESTION and is_open(spoken[index]),
            )
        )
    return result


def is_open(spoken: Iterable[Sentence]) -> bool:
    """Whether one of the questions in these sentences is open, by the definition in `classify`."""
    spoken = list(spoken)
    marked = [each for each in spoken if each.end == "?"] or spoken
    return any(_is_open_sentence(each.tokens) for each in marked)


def _is_open_sentence(tokens: list[str]) -> bool:
    start: set[int] = set()
    _OPEN_START.at(tokens, _after_openers(tokens), start)
    if start:
        return start == {0}
    inside: set[int] = set()
    _OPEN_ANYWHERE.anywhere(tokens, inside)
    return inside == {0}


def _score(
    utterances: Sequence[Utterance], spoken: Sequence[list[Sentence]]
) -> list[tuple[int, list[float]]]:
    """Points of each coach utterance, with its index."""
    own: list[tuple[int, _Points]] = []
    recent: deque[set[str]] = deque(maxlen=_MEMORY)
    last = len(utterances) - 1
    for index, utterance in enumerate(utterances):
        if utterance.speaker is Speaker.CLIENT:
            recent.append(content_stems(token for each in spoken[index] for token in each.tokens))
        elif utterance.speaker is Speaker.COACH:
            before = index > 0 and utterances[index - 1].speaker is Speaker.CLIENT
            after = index < last and utterances[index + 1].speaker is Speaker.CLIENT
            points = _own_points(
                spoken[index],
                said_by_client=set().union(*recent),
                before=spoken[index - 1] if before else None,
                after=spoken[index + 1] if after else None,
            )
            own.append((index, points))
    return _join_halves(utterances, own)


def _join_halves(
    utterances: Sequence[Utterance], own: list[tuple[int, _Points]]
) -> list[tuple[int, list[float]]]:
    """Give halves of one turn part of each other's points."""
    begins_cut = [utterances[index].text.lstrip().startswith(_DASHES) for index, _ in own]
    result = []
    for n, (index, points) in enumerate(own):
        total = list(points.values)
        shares = []
        if begins_cut[n] and n > 0 and index - own[n - 1][0] <= _HALVES_APART:
            shares.append(own[n - 1][1].above_mean(cues.CONTINUES))
        if (
            n + 1 < len(own)
            and begins_cut[n + 1]
            and own[n + 1][0] - index <= _HALVES_APART
            and utterances[index].text.rstrip().endswith(_DASHES)
        ):
            shares.append(own[n + 1][1].above_mean(cues.IS_CONTINUED))
        for share in shares:
            total = [mine + theirs for mine, theirs in zip(total, share, strict=True)]
        result.append((index, total))
    return result


def _own_points(
    spoken: list[Sentence],
    said_by_client: set[str],
    before: list[Sentence] | None,
    after: list[Sentence] | None,
) -> _Points:
    points = _Points()
    tokens = [token for each in spoken for token in each.tokens]
    content = [token for token in tokens if token not in cues.BACK_CHANNELS]
    asked = [each for each in spoken if each.end == "?"]
    if not content:
        points.form("a back-channel that asks" if asked else "nothing but back-channels")
        return points
    hits = _wordings(spoken, points)
    for hit in hits:
        points.add(_WEIGHTS[hit])
    _asking(spoken, asked, len(tokens), hits, points)
    _building(spoken, tokens, points, asks=bool(asked))
    _words(tokens, content, said_by_client, points)
    if not asked and _STEM not in hits:
        if not _I.isdisjoint(tokens):
            points.form("speaks as I")
        if not _WE.isdisjoint(tokens):
            points.form("speaks as we")
    if before and before[-1].end == "?" and not asked:
        points.form("answers a question of the client")
    if after is not None and len(tokens) > 3:
        _answer(after, points)
    return points


def _after_openers(tokens: Sequence[str]) -> int:
    """Index of the first token after "okay, so, you know" and the like."""
    index, count = 0, len(tokens)
    while index < count:
        if tokens[index] in cues.OPENERS:
            index += 1
        elif index + 1 < count and (tokens[index], tokens[index + 1]) in cues.OPENER_PAIRS:
            index += 2
        else:
            break
    return index


def _wordings(spoken: list[Sentence], points: _Points) -> set[int]:
    """Rows of the table that occur; gives points for the form of the marked sentences."""
    hits: set[int] = set()
    asks = begins_with_client = False
    for each in spoken:
        start: set[int] = set()
        _START.at(each.tokens, _after_openers(each.tokens), start)
        if each.end == "?":
            asks = asks or not _ASKS.isdisjoint(start)
            begins_with_client = begins_with_client or _BEGINS_WITH_CLIENT in start
        elif each.end in {".", "!"}:
            # "Do that first." is no question where the transcript has punctuation.
            start.discard(_INVERTED)
        hits |= start
        _ANYWHERE.anywhere(each.tokens, hits)
    if asks:
        points.form("marked sentence has the form of a question")
    elif begins_with_client:
        points.form("marked sentence begins with the client")
    return hits


def _asking(
    spoken: list[Sentence], asked: list[Sentence], words: int, hits: set[int], points: _Points
) -> None:
    if not asked:
        points.form("no question mark")
        if all(not each.end for each in spoken) and not _FORMS_OF_QUESTION.isdisjoint(hits):
            points.form("no punctuation at all, the form of a question")
        return
    points.form("a question mark")
    if spoken[-1].end == "?":
        points.form("the last sentence is marked")
    else:
        points.form("goes on after the question")
    asked_words = sum(len(each.tokens) for each in asked)
    reflects = _STEM in hits or _BEGINS_WITH_CLIENT in hits
    if words > 30 and reflects and 3 * asked_words < words:
        points.form("long, little of it asked, the rest reflects")
    elif words > 30 and 4 * asked_words < words:
        points.form("long, little of it asked, the rest informs")


def _building(spoken: list[Sentence], tokens: list[str], points: _Points, *, asks: bool) -> None:
    words = len(tokens)
    first = spoken[0].tokens
    start = _after_openers(first)
    if "so" in first[:start]:
        points.form("opens with so")
    if not asks and words > 3 and start < len(first) and first[start] in _STATES:
        points.form("states what it or that is")
    if words <= 3:
        if not asks:
            points.form("1-3 words")
    elif words <= 8:
        points.form("4-8 words")
    elif words <= 20:
        points.form("9-20 words")
    elif words <= 45:
        points.form("21-45 words")
    else:
        points.form("over 45 words")
    if len(spoken) >= 4:
        points.form("four sentences and more")


def _words(
    tokens: list[str], content: list[str], said_by_client: set[str], points: _Points
) -> None:
    words = len(tokens)
    stems = content_stems(content)
    if stems:
        shared = len(stems & said_by_client) / len(stems)
        points.form("share of words the client just used", shared)
        if shared == 1 and words <= 5:
            points.form("echo of the client")
    you = sum(token in _YOU for token in tokens)
    if you:
        points.form("share of words for you, times four, at most 0.6", min(0.6, 4 * you / words))
    elif words > 6:
        points.form("over six words, none for you")
    if any(token[0].isdigit() for token in tokens):
        points.form("a number")


def _answer(after: list[Sentence], points: _Points) -> None:
    words = sum(len(each.tokens) for each in after)
    # Only sounds ("mm-hmm") are left out by the tokeniser: they agree.
    first = after[0].tokens[0] if after else "mm"
    if first in cues.AGREES:
        points.form("the client agrees")
        if words <= 2:
            points.form("the client only agrees")
    elif first in cues.TAKES_NOTE and words <= 4:
        points.form("the client takes note")
    elif words > 4:
        points.form("the client tells")
