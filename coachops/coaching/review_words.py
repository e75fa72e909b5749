"""What a review says in words: who made the analysis, its counts with definitions, its failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coachops.ai import counts
from coachops.coaching.review_model import ReviewCount, ReviewError
from coachops.core.errors import CATALOGUE


def engine_label(engine: str, model: str, *, degraded: bool = False) -> str:
    """Who made an analysis, in words for the coach and for every message and export."""
    if engine == "openai":
        return f"AI analysis by {model}"
    if degraded:
        return "Rule-based analysis on this machine, because the AI service did not answer"
    return "Rule-based analysis on this machine; nothing left it"


def error(code: str | None) -> ReviewError | None:
    """A failure with its next step; a code of an older version reads as an unknown failure."""
    if code is None:
        return None
    spec = CATALOGUE[code if code in CATALOGUE else "COACH-SYS-003"]
    blank = _Blank(kind="the analysis of sessions")
    return ReviewError(code, spec.happened.format_map(blank), spec.next_step.format_map(blank))


class _Blank(dict[str, str]):
    """Details of a failure are not kept, since they may come from outside."""

    def __missing__(self, key: str) -> str:
        return "see the log"


def count_rows(document: Mapping[str, Any]) -> tuple[ReviewCount, ...]:
    """The counts of an analysis with their definitions, as surfaces show them."""
    found = counts.Counts.model_validate(document)
    words = found.coach_words + found.client_words
    rows = [
        ReviewCount(
            "coach_talk_share",
            "Coach's share of the words",
            found.coach_talk_share,
            "share",
            f"{found.coach_words} of {words} words",
            counts.TALK_SHARE_DEFINITION,
        ),
        ReviewCount(
            "open_question_share",
            "Open questions among questions",
            found.open_question_share,
            "share",
            f"{found.open_questions} of {found.questions} questions",
            counts.OPEN_QUESTION_DEFINITION,
        ),
    ]
    if found.coach_time_share is not None and found.coach_ms is not None:
        total = found.coach_ms + (found.client_ms or 0)
        rows.append(
            ReviewCount(
                "coach_time_share",
                "Coach's share of the time",
                found.coach_time_share,
                "share",
                f"{found.coach_ms // 1000} of {total // 1000} seconds",
                counts.TIME_SHARE_DEFINITION,
            )
        )
    for name, label, value in (
        ("questions", "Questions", found.questions),
        ("reflections", "Reflections", found.reflections),
        ("inputs", "Input", found.inputs),
        ("others", "Other", found.others),
    ):
        rows.append(
            ReviewCount(
                name,
                label,
                value,
                "count",
                f"{value} of {found.coach_utterances} utterances of the coach",
                "Utterances of the coach by their main behaviour, each counted once.",
            )
        )
    return tuple(rows)
