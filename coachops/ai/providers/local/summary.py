"""What a session was about, in the words of those who spoke, and sentences for the follow-up.

Extractive: every sentence consists of a fixed frame and a literal quote, and cites the utterance. A
frame says who spoke and nothing else; it does not interpret. Where nothing fits, nothing is said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from coachops.ai.types import ActionItem, Citation, CitedText, Modality, Owner, Speaker, Utterance

from .text import Sentence, crude_stem, has_redaction, shorten, spans
from .themes import Theme

_KEY_STATEMENTS = 3
_STEPS = 4
_NOTE_SENTENCES = 6
_FOLLOW_UP = 5

_TOPIC = re.compile(
    r"\b(?:I(?:['\u2019]d|\s+would)\s+(?:really\s+)?like\s+to\s+(?:talk|work|focus|look|discuss|figure|get\s+clear|explore|use)|"
    r"I\s+(?:really\s+)?(?:want|wanted|wanna|need)\s+(?:to\s+)?(?:talk|work\s+on|focus|discuss|figure\s+out|get\s+clear|look\s+at|"
    r"start\s+with|bring)|what\s+I(?:['\u2019]d|\s+would)\s+like|(?:been\s+)?on\s+my\s+mind|"
    r"the\s+(?:thing|topic|issue|main\s+thing|reason)\s+(?:I|that|is|for)|I(?:['\u2019]m|\s+am)\s+here\s+because|I\s+came\s+(?:here\s+)?because|"
    r"I(?:['\u2019]ve|\s+have)\s+been\s+(?:struggling|thinking\s+about|wrestling|dealing)|I(?:['\u2019]m|\s+am)\s+struggling|"
    r"could\s+we\s+talk\s+about|can\s+we\s+talk\s+about|my\s+topic|I\s+need\s+help|help\s+(?:me\s+)?with)",
    re.IGNORECASE,
)
_ASKS_TOPIC = re.compile(
    r"\b(?:what\s+(?:would\s+you\s+like|do\s+you\s+want|did\s+you\s+want|should\s+we|shall\s+we|brings|brought|'s\s+on|is\s+on|has\s+brought|"
    r"are\s+we|can\s+I\s+help|would\s+be\s+(?:most\s+)?(?:useful|helpful))|where\s+(?:would\s+you\s+like|do\s+you\s+want|should\s+we|"
    r"shall\s+we)\s+(?:to\s+)?(?:start|begin)|why\s+you(?:['\u2019]re|\s+are)\s+here|on\s+your\s+mind)",
    re.IGNORECASE,
)
_ASKS_TAKEAWAY = re.compile(
    r"\b(?:tak(?:e|ing)\s+(?:away|with\s+you|from\s+(?:this|today|our))|takeaways?|take-aways?|learn(?:ed|t)?\s+(?:today|from\s+(?:this|our))|"
    r"most\s+(?:useful|helpful|valuable)\s+(?:today|about|for\s+you\s+(?:today|in)))",
    re.IGNORECASE,
)


def summarise(
    utterances: Sequence[Utterance],
    spoken: Sequence[list[Sentence]],
    themes: Sequence[Theme],
    steps: Sequence[ActionItem],
) -> list[CitedText]:
    """The topic named, key statements, promises and the takeaway, in the order they were said."""
    found: dict[int, CitedText] = {}
    topic = _topic(utterances)
    takeaway = _takeaway(utterances)
    for each in (topic, takeaway):
        if each is not None:
            found.setdefault(each.citations[0].position, each)
    promised = [each for each in steps if each.modality is Modality.COMMITMENT and not each.done]
    taken = {*found, *(citation.position for step in steps for citation in step.citations)}
    for utterance, quote in _key_statements(utterances, spoken, themes, taken):
        found[utterance.position] = _says("The client says", utterance, quote)
    for step in promised[:_STEPS]:
        said = _said_by_owner(step)
        who = "The coach" if step.owner is Owner.COACH else "The client"
        text = f"{who} names a next step: \u201c{said.quote}\u201d"
        citations = [said]
        if step.citations[0].speaker is not said.speaker:
            put = step.citations[0]
            text = f"{who} takes up \u201c{put.quote}\u201d: \u201c{said.quote}\u201d"
            citations = [put, said]
        found.setdefault(said.position, CitedText(text=text, citations=citations))
    return [found[position] for position in sorted(found)]


def quote_notes(
    utterances: Sequence[Utterance], spoken: Sequence[list[Sentence]], themes: Sequence[Theme]
) -> list[CitedText]:
    """For notes typed by the coach: the sentences that say most, quoted, in their order."""
    weights = _weights(themes)
    ranked = sorted(
        (
            (-_weight(spoken[index], weights), index)
            for index, each in enumerate(utterances)
            if each.speaker is not Speaker.OTHER and sum(len(s.tokens) for s in spoken[index]) >= 4
        ),
    )[:_NOTE_SENTENCES]
    result = []
    for index in sorted(index for _, index in ranked):
        quote = _best_sentence(utterances[index].text, weights, least=3)
        if quote:
            result.append(_says("The notes say", utterances[index], quote))
    return result


def suggest_follow_up(
    summary: Sequence[CitedText], themes: Sequence[Theme], steps: Sequence[ActionItem]
) -> list[CitedText]:
    """Up to five sentences to the client; every one shows words that were spoken in the session."""
    result: list[CitedText] = []
    if themes:
        labels = [f"\u201c{each.cited.text}\u201d" for each in themes[:3]]
        result.append(
            CitedText(
                text=f"Among other things we talked about {_listed(labels)}.",
                citations=[each.cited.citations[0] for each in themes[:3]],
            )
        )
    stepped = {citation.position for step in steps for citation in step.citations}
    statement = next(
        (
            each
            for each in summary
            if each.citations[0].speaker is Speaker.CLIENT
            and each.citations[0].position not in stepped
        ),
        None,
    )
    if statement is not None:
        quote = statement.citations[0]
        result.append(CitedText(text=f"You said: \u201c{quote.quote}\u201d", citations=[quote]))
    promised = [each for each in steps if each.modality is Modality.COMMITMENT and not each.done]
    for owner, frame, took in (
        (Owner.CLIENT, "A next step in your words", "A next step you took up"),
        (Owner.COACH, "From my side", "What I took on"),
    ):
        for step in [each for each in promised if each.owner is owner][:2]:
            put, said = step.citations[0], _said_by_owner(step)
            if put.speaker is said.speaker:
                cited = CitedText(text=f"{frame}: \u201c{said.quote}\u201d", citations=[said])
            else:
                cited = CitedText(text=f"{took}: \u201c{put.quote}\u201d", citations=[put, said])
            result.append(cited)
    for step in steps:
        if step.modality is Modality.PROPOSAL and len(result) < _FOLLOW_UP:
            idea = step.citations[0]
            result.append(
                CitedText(
                    text=f"One idea that came up, if it fits for you: \u201c{idea.quote}\u201d",
                    citations=[idea],
                )
            )
            break
    return result[:_FOLLOW_UP]


def _said_by_owner(step: ActionItem) -> Citation:
    """The first words of the owner; of a proposal that was taken, the words that take it."""
    owned = [each for each in step.citations if each.speaker.value == step.owner.value]
    return owned[0] if owned else step.citations[0]


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _says(frame: str, utterance: Utterance, quote: str) -> CitedText:
    citation = Citation(position=utterance.position, speaker=utterance.speaker, quote=quote)
    return CitedText(text=f"{frame}: \u201c{quote}\u201d", citations=[citation])


def _topic(utterances: Sequence[Utterance]) -> CitedText | None:
    """What the client wants to talk about: said so, or the answer to the coach's asking for it."""
    for index, utterance in enumerate(utterances[: max(12, min(60, len(utterances) // 4))]):
        if utterance.speaker is Speaker.CLIENT and _TOPIC.search(utterance.text):
            for sentence in spans(utterance.text):
                if _TOPIC.search(sentence) and _quotable(sentence) and not sentence.endswith("?"):
                    return _says("The client says what it is about", utterance, shorten(sentence))
        elif (
            utterance.speaker is Speaker.COACH
            and "?" in utterance.text
            and _ASKS_TOPIC.search(utterance.text)
        ):
            answer = _answer(utterances, index)
            if answer is not None:
                return _says("Asked what to talk about, the client says", *answer)
    return None


def _takeaway(utterances: Sequence[Utterance]) -> CitedText | None:
    for index in range(len(utterances) - 1, max(-1, len(utterances) - 80), -1):
        utterance = utterances[index]
        if (
            utterance.speaker is Speaker.COACH
            and "?" in utterance.text
            and _ASKS_TAKEAWAY.search(utterance.text)
        ):
            answer = _answer(utterances, index)
            if answer is not None:
                return _says("Asked what to take away, the client says", *answer)
    return None


def _answer(utterances: Sequence[Utterance], index: int) -> tuple[Utterance, str] | None:
    for utterance in utterances[index + 1 : index + 4]:
        if utterance.speaker is Speaker.CLIENT:
            for sentence in spans(utterance.text):
                if _quotable(sentence) and not sentence.endswith("?"):
                    return utterance, shorten(sentence)
    return None


def _quotable(sentence: str) -> bool:
    return sentence.count(" ") >= 3 and not has_redaction(sentence)


def _weights(themes: Sequence[Theme]) -> dict[str, float]:
    return {stem: 1.0 + math.sqrt(theme.weight) for theme in themes for stem in theme.stems}


def _weight(spoken: Sequence[Sentence], weights: dict[str, float]) -> float:
    """Theme words per root of length: long enough to say something, not long for its own sake."""
    words = {crude_stem(token) for each in spoken for token in each.tokens}
    total = sum(weights.get(word, 0.0) for word in words)
    return round(total / math.sqrt(8 + len(words)), 6)


def _key_statements(
    utterances: Sequence[Utterance],
    spoken: Sequence[list[Sentence]],
    themes: Sequence[Theme],
    taken: set[int],
) -> list[tuple[Utterance, str]]:
    """One statement of the client from each third of the session, the one with most theme words."""
    weights = _weights(themes)
    if not weights:
        return []
    best: dict[int, tuple[float, int, str]] = {}
    for index, utterance in enumerate(utterances):
        if utterance.speaker is not Speaker.CLIENT or utterance.position in taken:
            continue
        weight = _weight(spoken[index], weights)
        third = index * _KEY_STATEMENTS // len(utterances)
        if weight <= 0 or (third in best and weight <= best[third][0]):
            continue
        quote = _best_sentence(utterance.text, weights, least=5)
        if quote:
            best[third] = (weight, index, quote)
    return [
        (utterances[index], quote)
        for _, index, quote in sorted(best.values(), key=lambda each: each[1])
    ]


def _best_sentence(text: str, weights: dict[str, float], least: int) -> str | None:
    found: tuple[float, str] | None = None
    for sentence in spans(text):
        if sentence.count(" ") < least - 1 or sentence.endswith("?") or has_redaction(sentence):
            continue
        words = {
            crude_stem(word.strip(".,!?;:\"'\u201c\u201d").lower()) for word in sentence.split()
        }
        weight = sum(weights.get(word, 0.0) for word in words)
        if found is None or weight > found[0]:
            found = (weight, shorten(sentence))
    return found[1] if found else None
