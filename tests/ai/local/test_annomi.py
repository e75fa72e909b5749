"""The engine on annotated dialogues; skipped where they are absent."""

from __future__ import annotations

import datetime as dt

import pytest

from benchmarks.local_engine import label_pairs, load_annomi, macro_f1
from coachops.ai.providers.local import analyse
from coachops.ai.types import AnalysisRequest

DIALOGUES = load_annomi()
pytestmark = pytest.mark.skipif(not DIALOGUES, reason="annotated dialogues are absent")


def test_macro_f1_over_all_coach_turns_is_at_least_068() -> None:
    pairs = [pair for each in DIALOGUES.values() for pair in label_pairs(each)]
    assert len(pairs) == 2313
    assert macro_f1(pairs) >= 0.68


def test_every_dialogue_is_analysed_with_literal_citations() -> None:
    for dialogue in DIALOGUES.values():
        utterances = tuple(utterance for utterance, _ in dialogue)
        result = analyse(AnalysisRequest(utterances=utterances, session_date=dt.date(2026, 11, 23)))
        said = {each.position: each.text for each in utterances}
        cited = [*result.summary, *result.themes, *result.follow_up, *result.action_items]
        assert all(c.quote in said[c.position] for each in cited for c in each.citations)
