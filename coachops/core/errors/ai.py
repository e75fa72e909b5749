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
        why="An engine was asked for by name that this installation is not set up for.",
    ),
    ErrorSpec(
        "COACH-AI-002",
        Kind.CONFIGURATION,
        "The AI service refused the key.",
        "Check COACHOPS_OPENAI_API_KEY and COACHOPS_OPENAI_BASE_URL (of the second provider: "
        "COACHOPS_SECOND_OPENAI_API_KEY and COACHOPS_SECOND_OPENAI_BASE_URL).",
        who="admin",
        why="The key was mistyped, withdrawn or belongs to another service.",
    ),
    ErrorSpec(
        "COACH-AI-003",
        Kind.UNAVAILABLE,
        "The AI service did not answer ({reason}).",
        "Nothing is lost: try again later, or use the engine 'local'.",
        who="admin",
        retryable=True,
        why="The service is down or overloaded, or the network between is.",
    ),
    ErrorSpec(
        "COACH-AI-004",
        Kind.UNAVAILABLE,
        "The AI service answered with something that is not an answer ({reason}).",
        "Check that COACHOPS_OPENAI_BASE_URL is the address of an OpenAI-compatible API.",
        who="admin",
        retryable=True,
        why="A proxy, a sign-in page of the network or another program answers at that address.",
    ),
    ErrorSpec(
        "COACH-AI-005",
        Kind.UNAVAILABLE,
        "The AI service's answer was incomplete or did not have the agreed form ({reason}).",
        "Try again; if it stays so, choose another model with COACHOPS_OPENAI_MODEL.",
        who="admin",
        retryable=True,
        why="The answer was cut, or the model does not keep to the form that is asked for.",
    ),
    ErrorSpec(
        "COACH-AI-006",
        Kind.UNAVAILABLE,
        "The AI service says that the account's quota is used up.",
        "Add credit with the provider, or use the engine 'local'.",
        who="admin",
        why="The account has no credit left, or its monthly limit is reached.",
    ),
    ErrorSpec(
        "COACH-AI-007",
        Kind.UNAVAILABLE,
        "The AI service is to be left alone for a while ({until}).",
        "Nothing is lost: it is asked again by itself. For a result now, use the engine 'local'.",
        who="admin",
        retryable=True,
        why="The service asked for a pause, or it failed several times in a row and is spared.",
    ),
    ErrorSpec(
        "COACH-AI-008",
        Kind.UNAVAILABLE,
        "The AI service was not asked, to keep today's limit of spending ({reason}).",
        "Wait until tomorrow, raise COACHOPS_AI_DAILY_LIMIT_USD, or use the engine 'local'.",
        who="admin",
        retryable=True,
        why="Calls of today have cost what you allowed for a day, calls under way included.",
    ),
    ErrorSpec(
        "COACH-AI-009",
        Kind.UNAVAILABLE,
        "The session does not fit the AI model, even in small parts ({reason}).",
        "Choose a model that reads and writes more with COACHOPS_OPENAI_MODEL.",
        who="admin",
        why="The model's context, or the longest answer that it may give, is too short.",
    ),
)
