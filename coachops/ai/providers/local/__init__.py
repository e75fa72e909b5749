"""The offline engine: rules over words, no model, no network, the same result every time.

Owns the rules and nothing else: wording tables (`cues`), behaviours, next steps, due dates, themes,
summary. Invariants: every quote is a literal piece of the utterance it cites; talk of others makes no
next step; redacted spans yield nothing; time grows linearly with the number of words. To add a wording,
add it to a row in `cues.py` (behaviours) or to a pattern in `commitments.py` and raise `VERSION`.
"""

from __future__ import annotations

from coachops.ai.types import AnalysisRequest, EngineResult

from .behaviours import classify, classify_sentences
from .text import sentences

# Raised whenever a rule changes, so that an analysis can be told apart from a newer one.
VERSION = "local-2026.11.3"

__all__ = ["VERSION", "analyse", "classify"]


def analyse(request: AnalysisRequest) -> EngineResult:
    """Analyse a session by rules alone; lists stay empty where the talk gives nothing."""
    # Their many patterns take 30 ms to compile: paid by the first analysis, not by each command.
    from .next_steps import find_next_steps  # noqa: PLC0415 see above
    from .summary import quote_notes, suggest_follow_up, summarise  # noqa: PLC0415 see above
    from .themes import find_themes  # noqa: PLC0415 see above

    utterances = request.utterances
    spoken = [sentences(each.text) for each in utterances]
    themes = find_themes(utterances, spoken)
    steps = find_next_steps(utterances, request.session_date, request.open_commitments)
    if request.coach_account:
        summary = quote_notes(utterances, spoken, themes)
        follow_up = []
    else:
        summary = summarise(utterances, spoken, themes, steps)
        follow_up = suggest_follow_up(summary, themes, steps)
    return EngineResult(
        summary=summary,
        themes=[each.cited for each in themes],
        behaviours=[] if request.coach_account else classify_sentences(utterances, spoken),
        action_items=steps,
        follow_up=follow_up,
    )
