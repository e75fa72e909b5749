"""AI engines: codes COACH-AI-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-AI-001",
        Kind.CONFIGURATION,
        "No AI key is set, and the engine 'openai' was asked for.",
        "Set COACHOPS_OPENAI_API_KEY, or use the engine 'local'.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-AI-002",
        Kind.CONFIGURATION,
        "The AI service refused the key.",
        "Check COACHOPS_OPENAI_API_KEY and COACHOPS_OPENAI_BASE_URL.",
        who="admin",
    ),
    ErrorSpec(
        "COACH-AI-003",
        Kind.UNAVAILABLE,
        "The AI service did not answer ({reason}).",
        "Nothing is lost: try again later, or use the engine 'local'.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-AI-004",
        Kind.UNAVAILABLE,
        "The AI service answered with something that is not an answer ({reason}).",
        "Check that COACHOPS_OPENAI_BASE_URL is the address of an OpenAI-compatible API.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-AI-005",
        Kind.UNAVAILABLE,
        "The AI service's answer was incomplete or did not have the agreed form ({reason}).",
        "Try again; if it stays so, choose another model with COACHOPS_OPENAI_MODEL.",
        who="admin",
        retryable=True,
    ),
    ErrorSpec(
        "COACH-AI-006",
        Kind.UNAVAILABLE,
        "The AI service says that the account's quota is used up.",
        "Add credit with the provider, or use the engine 'local'.",
        who="admin",
    ),
)
