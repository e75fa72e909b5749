"""Which speaker is the coach and which the client, and how sure that is.

In this order, for each label: the whole name or e-mail address; a role word ("Coach", "Klientin");
one name or the initials, where only one side has them. What then remains is inferred: the only
other speaker of two; else by talk, for labels that name nobody ("Speaker 1"). Not certain means: the
analysis waits until the coach confirms or swaps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coachops.ai.types import Speaker
from coachops.coaching.transcripts.labels import (
    CLIENT_WORDS,
    COACH_WORDS,
    fold,
    is_generic,
    word_set,
)
from coachops.coaching.transcripts.model import ParsedTranscript

# More cues than this without any speaker, and the mapping is not certain.
UNLABELLED_SHARE = 0.1
_PAIRS = ({"t": Speaker.COACH, "c": Speaker.CLIENT}, {"co": Speaker.COACH, "cl": Speaker.CLIENT})
_TITLES = word_set("dr prof mr mrs ms mx herr frau mag dipl ing")
_PAREN = re.compile(r"[(\[][^)\]]*[)\]]")


@dataclass(frozen=True, slots=True)
class SpeakerMapping:
    """Who is who.

    Attributes:
        roles: for each label of the transcript.
        inferred: at least one of coach and client was concluded, not found by name or role word.
        certain: the analysis may start without a question to the coach.
        reasons: for each label, why, in words for the coach.
        unlabelled: cues without any speaker; they count as `other`.
    """

    roles: Mapping[str, Speaker]
    inferred: bool
    certain: bool
    reasons: Mapping[str, str]
    unlabelled: int = 0

    def role_of(self, label: str | None) -> Speaker:
        """The role of a cue's label; no label is `other`."""
        return Speaker.OTHER if label is None else self.roles.get(label, Speaker.OTHER)


def map_speakers(
    parsed: ParsedTranscript, coach_names: Sequence[str], client_names: Sequence[str]
) -> SpeakerMapping:
    """Map the labels of a transcript to coach, client and other.

    Parameters:
        coach_names, client_names: everything each is known by: full name, e-mail address, nicknames.
    """
    labels = parsed.speakers
    unlabelled = sum(cue.speaker_label is None for cue in parsed.cues)
    roles: dict[str, Speaker] = {}
    reasons: dict[str, str] = {}
    sides = _Sides(coach_names, client_names)
    pair = next((pair for pair in _PAIRS if {fold(label) for label in labels} == set(pair)), None)
    for label in labels:
        found = (pair[fold(label)], "role letter") if pair else sides.find(label)
        if found is not None:
            roles[label], reasons[label] = found
    known = set(roles.values())
    inferred = False
    certain = {Speaker.COACH, Speaker.CLIENT} <= known
    unknown = [label for label in labels if label not in roles]
    if len(known) == 1 and unknown:
        inferred = True
        missing = Speaker.CLIENT if Speaker.COACH in known else Speaker.COACH
        talk = _Talk(parsed)
        most = max(unknown, key=lambda label: talk.words[label])
        roles[most] = missing
        alone = len(labels) == 2
        reasons[most] = "the only other speaker" if alone else "speaks most of the others"
        certain = alone
    elif not known and len(unknown) >= 2:
        inferred = True
        talk = _Talk(parsed)
        first, second = sorted(unknown, key=lambda label: -talk.words[label])[:2]
        coach = max((first, second), key=talk.coach_score)
        roles[coach], reasons[coach] = Speaker.COACH, "asks more questions"
        client = second if coach == first else first
        roles[client], reasons[client] = Speaker.CLIENT, "answers more than asks"
    for label in labels:
        if label not in roles:
            roles[label], reasons[label] = Speaker.OTHER, "neither name nor role is known"
    if unlabelled > UNLABELLED_SHARE * len(parsed.cues):
        certain = False
    if sides.conflict:
        certain = False
    return SpeakerMapping(
        {label: roles[label] for label in labels},
        inferred,
        certain,
        {label: reasons[label] for label in labels},
        unlabelled,
    )


class _Talk:
    """Words and questions of each label."""

    def __init__(self, parsed: ParsedTranscript) -> None:
        self.words: Counter[str] = Counter()
        self.cues: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        for cue in parsed.cues:
            if cue.speaker_label is not None:
                self.words[cue.speaker_label] += len(cue.text.split())
                self.cues[cue.speaker_label] += 1
                self.questions[cue.speaker_label] += cue.text.rstrip().endswith("?")

    def coach_score(self, label: str) -> tuple[float, float]:
        """Share of cues that end in a question; for equal shares, who speaks less."""
        return self.questions[label] / max(self.cues[label], 1), -float(self.words[label])


class _Sides:
    """The names of coach and client, in the forms that labels take."""

    def __init__(self, coach_names: Sequence[str], client_names: Sequence[str]) -> None:
        self.sides = (
            (Speaker.COACH, [_Known(name) for name in coach_names if name.strip()]),
            (Speaker.CLIENT, [_Known(name) for name in client_names if name.strip()]),
        )
        self.conflict = False

    def find(self, label: str) -> tuple[Speaker, str] | None:
        """Role and reason, where name or role word tell it."""
        outside = (
            _Known(_PAREN.sub(" ", label)) if _PAREN.sub(" ", label).strip() else _Known(label)
        )
        word = _role_word(label)
        named = self._only(lambda known: known.same(outside))
        if named is not None:
            self.conflict |= word is not None and word is not named
            return named, "the name"
        if word is not None:
            return word, "the role word"
        if is_generic(label):
            return None
        if (named := self._only(lambda known: known.part(outside))) is not None:
            return named, "part of the name"
        named = self._only(lambda known: known.initials == "".join(outside.tokens))
        return None if named is None else (named, "the initials")

    def _only(self, matches: Callable[[_Known], bool]) -> Speaker | None:
        """The side that matches, if not both do."""
        found = [side for side, names in self.sides if any(matches(name) for name in names)]
        return found[0] if len(found) == 1 else None


class _Known:
    """A name or e-mail address, folded: `tokens` in order, `initials` of two or more."""

    def __init__(self, name: str) -> None:
        folded = fold(name)
        self.mail = folded if "@" in folded and " " not in folded else None
        if self.mail:
            folded = self.mail.partition("@")[0]
        words = re.findall(r"[^\W_]+", folded.replace("'", "").replace("\u2019", ""))
        self.tokens = [word for word in words if word not in _TITLES] or words
        self.initials = "".join(word[0] for word in self.tokens) if len(self.tokens) > 1 else "\0"

    def same(self, label: _Known) -> bool:
        """The whole name in any order ("Berg, Anna"), or the address."""
        if self.mail and label.mail:
            return self.mail == label.mail
        return bool(label.tokens) and sorted(self.tokens) == sorted(label.tokens)

    def part(self, label: _Known) -> bool:
        """Some of the names ("Anna", "Anna B.", "Anna Maria Berg" for "Anna Berg")."""
        mine, theirs = set(self.tokens), set(label.tokens)
        if not theirs or not mine:
            return False
        if theirs <= mine or (len(mine) > 1 and mine <= theirs):
            return any(len(word) > 1 for word in theirs)
        if len(label.tokens) > 1 and label.tokens[0] == self.tokens[0]:
            rest = label.tokens[1:]
            return all(any(word.startswith(part) for word in self.tokens[1:]) for part in rest)
        return False


def _role_word(label: str) -> Speaker | None:
    """The role that a word of the label says ("Coach", "Anna (Coach)", "Client 1")."""
    words = set(re.findall(r"[^\W\d_]+", fold(label)))
    coach, client = bool(words & COACH_WORDS), bool(words & CLIENT_WORDS)
    if coach == client:
        return None
    return Speaker.COACH if coach else Speaker.CLIENT
