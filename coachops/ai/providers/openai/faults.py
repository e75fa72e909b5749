"""Every failure of the service, translated once into a code of the catalogue.

Measured behind it: the SDK retries used-up quotas, returns a bare `str` for an HTML page, raises
`json.JSONDecodeError` for a malformed body and pydantic's error for a cut answer.
"""

from __future__ import annotations

import email.utils
import json
from typing import Any

from pydantic import ValidationError

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.resilience import Ended

_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429})


class TooLong(Exception):  # noqa: N818 a signal, never shown
    """The answer to this question was cut before: it is put in halves at once."""


class Unended(Exception):  # noqa: N818 as above
    """An answer without its end (`finish_reason`): a cut stream. It is thrown away."""


def translate(error: BaseException) -> CoachError:
    """The error of the catalogue for anything a call may raise; unknown errors are raised again."""
    import openai  # noqa: PLC0415 comes with the call, which the command line does not need

    if isinstance(error, CoachError):
        return error
    if isinstance(error.__cause__, CoachError):  # raised while the SDK read the answer
        return error.__cause__
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    for kinds, code, reason in _reasons():
        if isinstance(error, kinds):
            return CoachError(code, reason=reason)
    raise error


def _reasons() -> tuple[tuple[tuple[type[BaseException], ...], str, str], ...]:
    """What the other errors mean; the first row that fits counts."""
    import httpx2  # noqa: PLC0415 comes with the SDK
    import openai  # noqa: PLC0415

    malformed = (openai.APIResponseValidationError, json.JSONDecodeError)
    broken = (openai.APIConnectionError, httpx2.TransportError, OSError)
    return (
        ((TimeoutError, openai.APITimeoutError), "COACH-AI-003", "no answer in time"),
        ((Unended,), "COACH-AI-005", "the answer has no proper end"),
        ((openai.LengthFinishReasonError,), "COACH-AI-005", "cut at the length limit"),
        ((openai.ContentFilterFinishReasonError,), "COACH-AI-005", "the service withheld it"),
        (malformed, "COACH-AI-005", "malformed JSON"),
        ((ValidationError,), "COACH-AI-005", "not the agreed form"),
        (broken, "COACH-AI-003", "no connection"),
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed in a moment, without a change."""
    import openai  # noqa: PLC0415

    if isinstance(error, openai.APIStatusError):
        if _is_quota(error):
            return False
        return error.status_code in _TRANSIENT_STATUS or error.status_code >= 500
    if isinstance(error.__cause__, CoachError):
        return False
    return isinstance(error, openai.APIConnectionError | TimeoutError | Unended)


def tries(error: BaseException) -> int:
    """How often a call may be made that ends so: an answer that came, but not whole, is paid for."""
    return 2 if isinstance(error, Unended) else 1_000


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

    return isinstance(error, openai.LengthFinishReasonError | TooLong) or _is_context(error)


def what_is_long(error: BaseException) -> str:
    """Which of the two did not fit, for people."""
    return "the words of one part" if _is_context(error) else "the answer to one part"


def ended(error: BaseException | None) -> Ended | None:
    """What the end of a call says of the service's health; None where it says nothing.

    A service that answers something we cannot use is well: another of our questions may fare better.
    """
    import openai  # noqa: PLC0415

    if error is None or refused_parameter(error) is not None or is_too_long(error):
        return Ended.WELL
    if isinstance(error, openai.APIStatusError):
        refused = error.status_code in {401, 403} or _is_quota(error)
        return Ended.REFUSED if refused else Ended.FAILED
    if isinstance(error, ValidationError | openai.ContentFilterFinishReasonError):
        return Ended.WELL
    if isinstance(error, CoachError):
        return Ended.WELL if error.code == "COACH-AI-005" else Ended.FAILED
    return Ended.FAILED if isinstance(error, Exception) else None


def code_of(error: BaseException | None) -> str | None:
    """The code of a failure, where it has one."""
    if error is None or is_too_long(error) or not isinstance(error, Exception):
        return None
    try:
        return translate(error).code
    except Exception:  # an error of our own, which its raiser reports
        return None


def is_free(error: BaseException) -> bool:
    """Whether nobody bills for a request that ended so: it was refused, or never taken."""
    import openai  # noqa: PLC0415

    return isinstance(error, openai.APIStatusError)


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


def _is_context(error: BaseException) -> bool:
    import openai  # noqa: PLC0415

    return isinstance(error, openai.BadRequestError) and error.code == "context_length_exceeded"


def _is_quota(error: Any) -> bool:
    return error.code in _QUOTA or error.type in _QUOTA
