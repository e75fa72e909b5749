"""From what was heard in each utterance to the list of next steps of a session.

- A promise belongs to the one who made it. The same promise said again is one item with two
  citations; the date said later wins over no date.
- A proposal has no owner. When the other one takes it in the next turn, or promises the same thing in
  own words soon after, it becomes that promise and is not listed as a proposal.
- A promise that continues an open commitment of an earlier session carries its id instead of being
  new; a report that it was done ("I sent it") yields the open commitment marked as done.

Two texts are about the same thing where at least 60 % of the words that carry the topic of the
shorter one are in the other, and at least two words are (or all, where there is only one).
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coachops.ai.types import (
    ActionItem,
    Citation,
    Modality,
    OpenCommitment,
    Owner,
    Speaker,
    Utterance,
)

from .commitments import Found, Heard, listen
from .dates import Due, find_due
from .text import content_stems, crude_stem, has_redaction, sentences, shorten, spans, word_set

_SAME = 0.6
# A promise is compared with the last items only: talk repeats itself nearby, and time stays linear.
_NEARBY = 40
# A proposal can be taken in the next utterances of the other one, up to this many positions on.
_TAKEN_WITHIN = 4
# What "it" in "I sent it" can refer to: this many utterances back.
_TALKED_ABOUT = 3

_OWNER = {Speaker.COACH: Owner.COACH, Speaker.CLIENT: Owner.CLIENT}

_PAST = {
    past: base
    for base, forms in {
        "do": "did done",
        "send": "sent",
        "write": "wrote written",
        "speak": "spoke spoken",
        "meet": "met",
        "make": "made",
        "tell": "told",
        "go": "went gone",
        "take": "took taken",
        "buy": "bought",
        "begin": "began",
        "run": "ran",
        "give": "gave given",
        "keep": "kept",
        "find": "found",
        "read": "read",
        "put": "put",
        "set": "set",
        "hold": "held",
        "have": "had",
        "get": "got",
        "leave": "left",
        "bring": "brought",
        "build": "built",
        "draw": "drew",
        "choose": "chose",
        "pay": "paid",
        "cut": "cut",
    }.items()
    for past in forms.split()
}
_ANY_DOING = frozenset({"do", "finish", "complet", "manag", "get", "handl", "sort", "hav"})
_REPORT = re.compile(
    r"\bI(?:['\u2019]ve|\s+have)?\s+(?:(?:already|actually|just|finally|even|also|really|did|managed\s+to|"
    r"have)\s+)*(?P<verb>[a-z]{2,})\b|\b(?:it|that|this)(?:['\u2019]s|\s+is)\s+(?:all\s+)?(?P<done>done|"
    r"finished|sorted|sent)\b",
    re.IGNORECASE,
)
_NOT_DONE = re.compile(
    r"n['\u2019]t\b|\b(?:not|never|forgot|failed|almost|nearly|yet|should\s+have|meant\s+to|wanted\s+to|"
    r"would\s+have|if|going\s+to|gonna|will)\b|['\u2019]ll\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Item:
    owner: Owner
    text: str
    due: Due | None
    stems: frozenset[str]
    citations: list[Citation]
    verb: str = ""
    carries: str | None = None
    done: bool = False

    def frozen(self) -> ActionItem:
        return ActionItem(
            text=self.text,
            owner=self.owner,
            modality=Modality.PROPOSAL if self.owner is Owner.UNASSIGNED else Modality.COMMITMENT,
            due_date=self.due.date if self.due else None,
            due_phrase=self.due.phrase if self.due else None,
            carries=self.carries,
            done=self.done,
            citations=self.citations,
        )


@dataclass(slots=True)
class _Pending:
    """Something put to the other one that can still be taken; `item` is empty for a request."""

    found: Found
    stems: frozenset[str]
    index: int
    item: _Item | None


@dataclass(slots=True)
class _Book:
    session_date: dt.date
    items: list[_Item] = field(default_factory=list)
    recent: deque[_Item] = field(default_factory=lambda: deque(maxlen=_NEARBY))
    pending: deque[_Pending] = field(default_factory=lambda: deque(maxlen=8))
    dropped: set[int] = field(default_factory=set)
    same_text: dict[tuple[Owner, frozenset[str]], _Item] = field(default_factory=dict)

    def add(self, owner: Owner, found: Found, due: Due | None) -> _Item:
        citation = _cite(found.utterance, found.quote)
        stems = _stems(found.action)
        known = self.same_text.get((owner, stems)) if stems else None
        if known is None:
            known = next(
                (
                    each
                    for each in self.recent
                    if each.owner is owner and _repeats(each, stems, _verb(found.action))
                ),
                None,
            )
        if known is not None:
            if len(known.citations) < 3 and citation not in known.citations:
                known.citations.append(citation)
            known.due = known.due or due
            return known
        item = _Item(owner, _sentence(found.action), due, stems, [citation], _verb(found.action))
        self.items.append(item)
        self.recent.append(item)
        if stems:
            self.same_text[owner, stems] = item
        return item

    def drop(self, item: _Item) -> None:
        self.dropped.add(id(item))
        if item in self.recent:
            self.recent.remove(item)
        self.same_text.pop((item.owner, item.stems), None)


def find_next_steps(
    utterances: Sequence[Utterance],
    session_date: dt.date,
    open_commitments: Iterable[OpenCommitment] = (),
) -> list[ActionItem]:
    """The next steps of a session, in the order in which they were first said."""
    book = _Book(session_date)
    for index, utterance in enumerate(utterances):
        if utterance.speaker is not Speaker.OTHER:
            _take_up(book, index, utterance, listen(utterance))
    kept = [item for item in book.items if id(item) not in book.dropped]
    opened = list(open_commitments)
    if opened:
        kept = _carry(kept, opened, utterances)
    return [item.frozen() for item in kept]


def _take_up(book: _Book, index: int, utterance: Utterance, heard: Heard) -> None:
    owner = _OWNER[utterance.speaker]
    promises = heard.promises
    again: tuple[str, ...] = ()
    if heard.accepts and not _accept(book, index, utterance, heard.accepts):
        if promises and _place(promises[0]) < utterance.text.find(heard.accepts[0]):
            again = heard.accepts
        else:
            promises = (*heard.otherwise, *promises)
    item: _Item | None = None
    for found in promises:
        item = book.add(owner, found, find_due(found.quote, book.session_date))
        for pending in list(book.pending):
            if pending.item is not None and _same(pending.stems, item.stems):
                book.drop(pending.item)
                book.pending.remove(pending)
    if item is not None:
        for words in again[:1]:  # "I'll tell him. I'll do that tomorrow": one promise, with its day
            item.due = item.due or find_due(words, book.session_date)
            item.citations.append(_cite(utterance, words))
    for found in heard.proposals:
        item = book.add(Owner.UNASSIGNED, found, find_due(found.quote, book.session_date))
        book.pending.append(_Pending(found, item.stems, index, item))
    for found in heard.requests:
        book.pending.append(_Pending(found, _stems(found.action), index, None))


def _place(found: Found) -> int:
    return found.utterance.text.find(found.quote)


def _accept(book: _Book, index: int, utterance: Utterance, words: Sequence[str]) -> bool:
    """Turn the newest thing put to this speaker just before into this speaker's promise, if any."""
    for pending in reversed(book.pending):
        if pending.found.said_by is utterance.speaker or index - pending.index > _TAKEN_WITHIN:
            continue
        said = [*words, pending.found.quote]
        due = next((due for each in said if (due := find_due(each, book.session_date))), None)
        if pending.item is not None:
            book.drop(pending.item)
        item = book.add(_OWNER[utterance.speaker], pending.found, due)
        for each in words[:2]:
            citation = _cite(utterance, each)
            if citation not in item.citations:
                item.citations.append(citation)
        book.pending.remove(pending)
        return True
    return False


def _carry(
    items: list[_Item], opened: Sequence[OpenCommitment], utterances: Sequence[Utterance]
) -> list[_Item]:
    """Link promises to the open commitments they continue and add those reported as done."""
    stems = {each.id: _stems(each.text) for each in opened}
    by_word: dict[str, list[OpenCommitment]] = defaultdict(list)
    for each in opened:
        for word in stems[each.id]:
            by_word[word].append(each)
    carried: dict[str, _Item] = {}
    for item in items:
        near = {each.id: each for word in item.stems for each in by_word.get(word, ())}
        fitting = (
            each.id
            for each in sorted(near.values(), key=lambda one: one.id)
            if each.owner is item.owner
            and each.owner is not Owner.UNASSIGNED
            and each.id not in carried
            and _same(stems[each.id], item.stems)
        )
        item.carries = next(fitting, None)
        if item.carries is not None:
            carried[item.carries] = item
    done = _reported_done(opened, stems, by_word, utterances)
    added = []
    for each in opened:
        if each.id not in done:
            continue
        if each.id in carried:
            # Promised again and reported as done: the promise was about the earlier doing.
            carried[each.id].done = True
            carried[each.id].citations.append(done[each.id])
        else:
            added.append(
                _Item(
                    each.owner,
                    each.text,
                    None,
                    stems[each.id],
                    [done[each.id]],
                    carries=each.id,
                    done=True,
                )
            )
    return [*added, *items]


def _reported_done(
    opened: Sequence[OpenCommitment],
    stems: dict[str, frozenset[str]],
    by_word: dict[str, list[OpenCommitment]],
    utterances: Sequence[Utterance],
) -> dict[str, Citation]:
    """For each open commitment that its owner reports as done, the words that say so."""
    done: dict[str, Citation] = {}
    window: deque[set[str]] = deque(maxlen=_TALKED_ABOUT + 1)
    for utterance in utterances:
        words = {
            crude_stem(token) for each in sentences(utterance.text) for token in each.tokens
        } & by_word.keys()
        window.append(words)
        if utterance.speaker is Speaker.OTHER or len(done) == len(opened):
            continue
        about = set().union(*window)
        if not about:
            continue
        near = {each.id: each for word in about for each in by_word[word]}
        candidates = [
            each
            for each in near.values()
            if each.id not in done
            and each.owner is _OWNER[utterance.speaker]
            and _mostly_in(stems[each.id], about)
        ]
        if not candidates:
            continue
        quote = _report(utterance.text, {word for each in candidates for word in _verbs(each)})
        if quote:
            best = max(
                candidates, key=lambda each: (len(stems[each.id] & about), stems[each.id] <= about)
            )
            done[best.id] = _cite(utterance, quote)
    return done


def _verbs(commitment: OpenCommitment) -> set[str]:
    return {crude_stem(token) for each in sentences(commitment.text) for token in each.tokens[:4]}


def _report(text: str, verbs: set[str]) -> str | None:
    for sentence in spans(text):
        if sentence.endswith("?") or has_redaction(sentence) or _NOT_DONE.search(sentence):
            continue
        for match in _REPORT.finditer(sentence):
            if match["done"]:
                return shorten(sentence)
            said = match["verb"].lower()
            base = crude_stem(_PAST.get(said, said))
            past = said in _PAST or said.endswith("ed")
            if past and (base in verbs or base in _ANY_DOING):
                return shorten(sentence)
    return None


def _mostly_in(stems: frozenset[str], about: set[str]) -> bool:
    return bool(stems) and len(stems & about) / len(stems) >= 0.5


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    shorter = min(len(one), len(other))
    if not shorter:
        return False
    shared = len(one & other)
    return shared / shorter >= _SAME and shared >= min(2, max(len(one), len(other)))


def _repeats(one: _Item, stems: frozenset[str], verb: str) -> bool:
    """Whether a promise of the same session is meant again: same thing, and the same doing."""
    return _same(one.stems, stems) and (one.verb == verb or one.stems == stems)


_BEFORE_VERB = word_set(
    "just also then definitely really still quickly gladly try to be what if you"
)
_DATE_WORDS = word_set(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight week weekend month "
    "year day session meeting morning evening afternoon"
)


def _stems(text: str) -> frozenset[str]:
    """The words that make two promises the same: without the date."""
    tokens = [token for each in sentences(text) for token in each.tokens]
    return frozenset(
        content_stems(_PAST.get(token, token) for token in tokens if token not in _DATE_WORDS)
    )


def _verb(action: str) -> str:
    """The doing in an action ("just write it down" -> "write")."""
    tokens = [token for each in sentences(action) for token in each.tokens]
    doing = next((token for token in tokens if token not in _BEFORE_VERB), "")
    return crude_stem(_PAST.get(doing, doing))


def _sentence(action: str) -> str:
    return action[:1].upper() + action[1:]


def _cite(utterance: Utterance, quote: str) -> Citation:
    return Citation(position=utterance.position, speaker=utterance.speaker, quote=quote)
