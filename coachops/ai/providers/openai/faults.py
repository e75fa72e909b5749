"""Every failure of the service, translated once into a code of the catalogue.

Measured behind it: the SDK retries used-up quotas, returns a bare `str` for an HTML page, raises
`json.JSONDecodeError` for a malformed body and pydantic's error for a cut answer.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
from typing import Any

from pydantic import ValidationError

from coachops.core import clock
from coachops.core.errors import CoachError

_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429})


def translate(error: BaseException) -> CoachError:
    """The error of the catalogue for anything a call may raise; unknown errors are raised again."""
    import httpx2  # noqa: PLC0415 comes with the SDK, which the command line does not need
    import openai  # noqa: PLC0415

    if isinstance(error, CoachError):
        return error
    if isinstance(error, TimeoutError | asyncio.TimeoutError | openai.APITimeoutError):
        return CoachError("COACH-AI-003", reason="no answer in time")
    if isinstance(error, openai.LengthFinishReasonError):
        return CoachError("COACH-AI-005", reason="the answer was cut at the length limit")
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return CoachError("COACH-AI-005", reason="the service withheld the answer")
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError):
        return CoachError("COACH-AI-005", reason="malformed JSON")
    if isinstance(error, ValidationError):
        return CoachError("COACH-AI-005", reason="not the agreed form")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError | OSError):
        return CoachError("COACH-AI-003", reason="no connection")
    raise error


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed in a moment, without a change."""
    import openai  # noqa: PLC0415

    if isinstance(error, openai.APIStatusError):
        if _is_quota(error):
            return False
        return error.status_code in _TRANSIENT_STATUS or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | TimeoutError)


def is_malformed(error: BaseException) -> bool:
    """Whether an answer came that does not have the agreed form: worth one repair try."""
    import openai  # noqa: PLC0415

    return isinstance(
        error,
        ValidationError | json.JSONDecodeError | openai.APIResponseValidationError,
    )


def is_too_long(error: BaseException) -> bool:
    """Whether the answer was cut, or the question did not fit: worth a try in two halves."""
    import openai  # noqa: PLC0415

    return isinstance(error, openai.LengthFinishReasonError) or (
        isinstance(error, openai.BadRequestError) and error.code == "context_length_exceeded"
    )


def refused_parameter(error: BaseException) -> str | None:
    """The optional parameter that this model does not take (`temperature`, `seed`), or None."""
    import openai  # noqa: PLC0415

    if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        for name in ("temperature", "seed"):
            if error.param == name or (error.param is None and f"'{name}'" in str(error.message)):
                return name
    return None


def retry_after(error: BaseException) -> float:
    """Seconds that the service asks to wait (`Retry-After`, RFC 9110 10.2.3), else 0."""
    response: Any = getattr(error, "response", None)
    headers = getattr(response, "headers", None)
    if headers is None:
        return 0.0
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if value is None:
            return 0.0
        if value.strip().isdigit():
            return float(value)
        return max(0.0, (email.utils.parsedate_to_datetime(value) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _of_status(error: Any) -> CoachError:
    if _is_quota(error):
        return CoachError("COACH-AI-006")
    if error.status_code in {401, 403}:
        return CoachError("COACH-AI-002")
    if error.status_code in _TRANSIENT_STATUS or error.status_code >= 500:
        wait = retry_after(error)
        details = {"retry_after": round(wait)} if wait else {}
        return CoachError("COACH-AI-003", reason=f"status {error.status_code}", **details)
    return CoachError("COACH-AI-004", reason=f"status {error.status_code}")


def _is_quota(error: Any) -> bool:
    return error.code in _QUOTA or error.type in _QUOTA
