"""Next steps from what was said: promises of the one who speaks, and proposals.

A promise is spoken in the first person about what comes ("I'll", "I will", "I'm going to", "I can
commit to", "let me send you"). It is none when it is denied, doubted, conditional, told of the past
or of a habit, quoted from somebody else, asked, or about what nobody can promise ("I'll be fine").
A suggestion ("you could", "how about you", "what if you") is a proposal without an owner until the
other one takes it in the next turn ("yes, I'll do that"): then it is that person's promise.

A few wordings are read with a coach's talk in mind: "I'll summarise" and "I'm going to ask you"
speak about the talk itself, not about a next step.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from coachops.ai.types import Speaker, Utterance

from . import wording
from .text import has_redaction, shorten, spans


class Found(NamedTuple):
    """A promise or a proposal in one sentence.

    Attributes:
        utterance: where it was said.
        quote: literal piece of the utterance that holds it.
        action: what is to be done, literal words from the verb on.
        said_by: the speaker.
    """

    utterance: Utterance
    quote: str
    action: str
    said_by: Speaker


class Heard(NamedTuple):
    """What one utterance holds for next steps.

    Attributes:
        promises: made by its speaker.
        proposals: made to the other one (or, of oneself, in doubt).
        requests: asked of the other one; they count only when the other one agrees.
        accepts: the literal words that take what was proposed just before.
        otherwise: the promises in those words where nothing was proposed ("I'll try it with my team
            on Monday").
    """

    promises: tuple[Found, ...] = ()
    proposals: tuple[Found, ...] = ()
    requests: tuple[Found, ...] = ()
    accepts: tuple[str, ...] = ()
    otherwise: tuple[Found, ...] = ()


NOTHING = Heard()


def listen(utterance: Utterance) -> Heard:
    """The promises, proposals, requests and acceptance in one utterance."""
    lowered = utterance.text.lower()
    if not any(trigger in lowered for trigger in wording.TRIGGERS):
        return NOTHING
    promises: list[Found] = []
    proposals: list[Found] = []
    requests: list[Found] = []
    accepts: list[str] = []
    otherwise: list[Found] = []
    in_quote = False
    for sentence in spans(utterance.text):
        opened, in_quote = in_quote, _quote_open(sentence, in_quote)
        if opened or has_redaction(sentence):
            continue
        taken = _acceptance(sentence)
        if taken is not None:
            accepts.append(taken)
            otherwise.extend(_promises(utterance, sentence))
            continue
        found = _promises(utterance, sentence)
        promises.extend(found)
        if found:
            continue
        proposal = _proposal(utterance, sentence)
        if proposal is not None:
            proposals.append(proposal)
        elif (request := _request(utterance, sentence)) is not None:
            requests.append(request)
    return Heard(
        tuple(promises), tuple(proposals), tuple(requests), tuple(accepts), tuple(otherwise)
    )


def _quote_open(sentence: str, opened: bool) -> bool:
    if sentence.count('"') % 2:
        opened = not opened
    if "\u201c" in sentence or "\u201d" in sentence:
        opened = sentence.rfind("\u201c") > sentence.rfind("\u201d")
    return opened


def _acceptance(sentence: str) -> str | None:
    match = wording.ACCEPTS.search(sentence)
    if match is None or sentence.endswith("?") or wording.ACCEPT_BLOCKED.search(sentence):
        return None
    return shorten(sentence)


def _promises(utterance: Utterance, sentence: str) -> list[Found]:
    if sentence.endswith("?") and not wording.TAG.search(sentence):
        return []
    markers = list(wording.MARKER.finditer(sentence))
    found = []
    before = sentence[: markers[0].start()] if markers else ""
    for n, marker in enumerate(markers):
        end = markers[n + 1].start() if n + 1 < len(markers) else len(sentence)
        clause = sentence[marker.start() : end]
        promise = _promise(utterance, before, clause)
        if promise is not None:
            found.append(promise)
        # What blocked the first part ("if he asks, I'll go and I'll...") blocks the next one too.
        tail = wording.LAST_PART.split(clause)[-1]
        before = tail if promise is not None else before + tail
    return found


def _promise(utterance: Utterance, before: str, clause: str) -> Found | None:
    if (
        wording.BEFORE_BLOCKS.search(before)
        or wording.QUOTED.search(before)
        or _inside_quotes(before)
    ):
        return None
    offered = wording.LET_ME.match(clause)
    match = offered or wording.PROMISE.match(clause)
    if match is None:
        return None
    if wording.AFTER_BLOCKS.search(wording.HARMLESS_IF.sub(" ", match["action"])):
        return None
    action = _clause(match["action"])
    if match["verb"] and match["verb"].lower() in wording.NO_VERB and wording.COMMITS.match(clause):
        return Found(
            utterance,
            shorten(clause[: match.start("action")] + action),
            shorten(action),
            utterance.speaker,
        )
    if not offered and not _can_be_promised(utterance.speaker, match["verb"].lower(), action):
        return None
    quote = clause[: match.start("action")] + action
    return Found(utterance, shorten(quote), shorten(action), utterance.speaker)


def _can_be_promised(speaker: Speaker, verb: str, action: str) -> bool:
    if verb == "be" and speaker is Speaker.CLIENT:
        return re.match(r"be\s+\w{3,}ing\b", action, re.IGNORECASE) is not None
    if verb == "think":
        return (
            re.match(
                r"think\s+(?:about|over|through)\s+(?!(?:it|that|this|them|those|these)\b)",
                action,
                re.IGNORECASE,
            )
            is not None
        )
    if verb == "get":
        return (
            re.match(
                r"get\s+(?:back|in\s+touch|you|him|her|them|the|a|an|my|started|up\s+at)\b",
                action,
                re.IGNORECASE,
            )
            is not None
        )
    if (
        verb in wording.NO_ACTION
        or verb in wording.NO_VERB
        or wording.TALK_PHRASES.search(action)
        or (wording.ONLY_PRONOUN.match(action) and action.count(" ") < 3)
    ):
        return False
    if speaker is Speaker.COACH and (
        verb in wording.ABOUT_THE_TALK or wording.TALK_NOTE.search(action)
    ):
        return wording.LATER.search(action) is not None
    return len(action) > len(verb) and wording.BROKEN_OFF.search(action) is None


def _inside_quotes(before: str) -> bool:
    return before.count('"') % 2 == 1 or before.rfind("\u201c") > before.rfind("\u201d")


def _clause(action: str) -> str:
    end = wording.CLAUSE_END.search(action)
    if end is not None and end.start() > 0:
        action = action[: end.start()]
    return re.sub(
        r"[\s,]+(?:and|or|then|so)$", "", action.rstrip(" \t\r\n.,;:!?\u2026\"'\u201d\u2019-\u2014")
    )


def _proposal(utterance: Utterance, sentence: str) -> Found | None:
    match = None
    if utterance.speaker is Speaker.COACH:
        match = wording.PROPOSAL.search(sentence)
    elif utterance.speaker is Speaker.CLIENT and not sentence.endswith("?"):
        match = wording.OWN_IDEA.search(sentence)
    if match is None or match["verb"].lower() in wording.NO_PROPOSAL:
        return None
    cue = match["cue"].lower()
    before = sentence[: match.start()]
    if wording.PROPOSAL_BLOCKED.search(before) or _inside_quotes(before):
        return None
    if cue == "you could" and (
        sentence.endswith("?") or re.search(r"\b(?:if|when|what|how)\b", before, re.IGNORECASE)
    ):
        return None
    action = _clause(match["action"])
    if " " not in action and not action.lower().endswith("ing"):
        return None
    if (
        wording.ASKS_TO_TALK.search(action)
        or (wording.ONLY_PRONOUN.match(action) and action.count(" ") < 3)
        or wording.BROKEN_OFF.search(action)
    ):
        return None
    quote = sentence[match.start() : match.start("action")] + action
    # "What if you told him": the verb alone would tell of the past.
    told = quote if cue.startswith("what if") else action
    return Found(utterance, shorten(quote), shorten(told), utterance.speaker)


def _request(utterance: Utterance, sentence: str) -> Found | None:
    match = wording.REQUEST.search(sentence)
    if match is None or wording.ASKED.search(sentence[: match.start()]):
        return None
    action = _clause(match["action"])
    quote = sentence[match.start() : match.start("action")] + action
    return Found(utterance, shorten(quote), shorten(action), utterance.speaker)
