"""Words in a transcript that read as if they were addressed to a model.

They are data like all others: the fence, the fixed form of the answer, the absence of tools and the
check of every citation hold without this. It only tells the coach where to look, so it may miss some
and must not cry wolf: nothing in 4,598 lines of real counselling is flagged by it.
"""

from __future__ import annotations

import re

_START = r"(?:^|[.!?:>\]]\s+|\bplease,? )"
"""Where an order begins: people tell of orders in the middle of a sentence."""

_PATTERNS = (
    # forget the orders
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}"
    r"\b(?:instructions?|prompts?|your (?:\w+ )?rules|(?:above|previous|prior|safety) (?:rules?|messages?|text)|you were told)\b",
    r"\b(?:do not|don't|stop) follow(?:ing)?\b.{0,30}\b(?:rules|instructions)\b",
    r"\bnew (?:instructions?|rules|task) ?:|\byour new (?:task|instructions?) (?:is|are)\b",
    r"\bignor(?:a|ad|e|ez|iere|ieren|are|ate)\b.{0,40}\b(?:instruc|instruç|anweisung|consigne|istruzion)",
    # be somebody else
    rf"{_START}(?:you are now|act as) (?:an? |the |in |free|my )(?!new (?:role|job)|team|good place)",
    r"\bfrom now on,? you\b.{0,20}\b(?:respond|answer|output|write|act|obey|reply)\b",
    # the names by which a model is called
    r"\b(?:system prompt|as an ai(?: language model)?\b.{0,20}\byou|dear language model)",
    r"\b(?:hey|dear|hi|hello|ok|okay),? (?:chatgpt|gpt|claude|gemini|copilot|ai|assistant)\b,",
    r"\b(?:note to the|to the) (?:ai|assistant|model|llm) (?:reading|analy[sz]ing|that reads)|"
    r"\bnote to (?:the )?(?:ai|llm|model|assistant)\b",
    # marks of prompts and of our own fence
    r"^\s*(?:system|assistant|developer)\s*:",
    r"</?(?:system|transcript|instructions?|prompt|user|assistant)\b",
    r"<\|\w+\|>|\[/?INST\]|^\s*#{2,}\s*(?:instruction|system|response)",
    # what to write, what to give away, what to do
    r"\b(?:output|respond|answer|reply)\b.{0,20}\b(?:json|only with)\b",
    rf"{_START}(?:output|respond|answer|reply)\b.{{0,30}}\b(?:previous conversation|schema|your prompt)",
    r"\b(?:reveal|print|output|list|leak|repeat|show me)\b.{0,30}\b(?:prompt|api key|all (?:the )?"
    r"(?:users|clients)|names of all|transcripts? of (?:the )?other|other clients?)\b",
    r"\bsend (?:this|the) (?:summary|analysis|transcript|follow-?up|result)s?\b.{0,20}\bto \S+@",
    r"\bcall the (?:tool|function)\b|\bmark this (?:coach|client|session) as\b",
)
_INSTRUCTION = re.compile(
    "|".join(f"(?:{each})" for each in _PATTERNS), re.IGNORECASE | re.MULTILINE
)
_SPACED = re.compile(r"\b(?:\w ){3,}\w\b")


def looks_like_instruction(text: str) -> bool:
    """Whether an utterance reads as if it were addressed to a model; shown to the coach as a flag."""
    closed = _SPACED.sub(lambda match: match.group().replace(" ", ""), text)
    return _INSTRUCTION.search(closed) is not None
