"""Splitting a long session on utterance borders, and joining what the engine found in each part.

Parts do not overlap and positions stay those of the whole transcript, so nothing is seen twice and
citations need no translation. Joining is a function of the parts alone: equal parts, equal result.
"""

from __future__ import annotations

from collections.abc import Sequence

from coachops.ai.types import (
    ActionItem,
    AnalysisRequest,
    Citation,
    CitedText,
    CoachBehaviour,
    EngineResult,
    Utterance,
)

MAX_CHARS = 48_000
"""Text of one part: about 12,000 tokens, well inside every current model's context."""
MAX_UTTERANCES = 400
"""Utterances of one part: the answer holds a line for each of the coach's."""


def split(
    request: AnalysisRequest, max_chars: int = MAX_CHARS, max_utterances: int = MAX_UTTERANCES
) -> list[AnalysisRequest]:
    """`request` in parts of even size; one part where it is short enough.

    An utterance is never cut: one that is longer than `max_chars` is a part of its own.
    """
    sizes = [len(each.text) + 40 for each in request.utterances]  # 40: position and speaker
    wanted = max(
        -(-sum(sizes) // max_chars), -(-len(sizes) // max_utterances), 1
    )  # ceilings, so that parts come out even instead of one tiny rest
    limit = min(max_chars, -(-sum(sizes) // wanted) + max(sizes, default=0))
    count_limit = -(-len(sizes) // wanted)
    parts: list[list[Utterance]] = [[]]
    used = 0
    for utterance, size in zip(request.utterances, sizes, strict=True):
        if parts[-1] and (used + size > limit or len(parts[-1]) >= count_limit):
            parts.append([])
            used = 0
        parts[-1].append(utterance)
        used += size
    return [request.model_copy(update={"utterances": tuple(part)}) for part in parts]


def halves(request: AnalysisRequest) -> list[AnalysisRequest]:
    """`request` in two, or alone where it has one utterance: for an answer that grew too long."""
    middle = len(request.utterances) // 2
    if middle == 0:
        return [request]
    return [
        request.model_copy(update={"utterances": request.utterances[:middle]}),
        request.model_copy(update={"utterances": request.utterances[middle:]}),
    ]


def join(parts: Sequence[EngineResult]) -> EngineResult:
    """One result from those of the parts, in their order.

    Sentences, themes and next steps that repeat word for word become one with all citations; a
    commitment carried in several parts is one, done where any part says so.
    """
    behaviours: dict[int, CoachBehaviour] = {}
    for part in parts:
        for each in part.behaviours:
            behaviours.setdefault(each.position, each)
    return EngineResult(
        summary=_join_cited([each for part in parts for each in part.summary]),
        themes=_join_cited([each for part in parts for each in part.themes]),
        behaviours=[behaviours[position] for position in sorted(behaviours)],
        action_items=_join_actions([each for part in parts for each in part.action_items]),
        follow_up=_join_cited([each for part in parts for each in part.follow_up]),
    )


def _join_cited(found: list[CitedText]) -> list[CitedText]:
    joined: dict[str, CitedText] = {}
    for each in found:
        key = _normal(each.text)
        before = joined.get(key)
        joined[key] = (
            each
            if before is None
            else CitedText(text=before.text, citations=_union(before.citations, each.citations))
        )
    return list(joined.values())


def _join_actions(found: list[ActionItem]) -> list[ActionItem]:
    joined: dict[tuple[str, ...], ActionItem] = {}
    for each in found:
        key = (
            ("carried", each.carries)
            if each.carries
            else (each.owner.value, each.modality.value, _normal(each.text))
        )
        before = joined.get(key)
        if before is None:
            joined[key] = each
            continue
        later = each if each.due_date is not None else before  # the last date said holds
        joined[key] = before.model_copy(
            update={
                "due_date": later.due_date,
                "due_phrase": later.due_phrase,
                "done": before.done or each.done,
                "citations": _union(before.citations, each.citations),
            }
        )
    return list(joined.values())


def _union(first: list[Citation], second: list[Citation]) -> list[Citation]:
    return list(dict.fromkeys([*first, *second]))


def _normal(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
