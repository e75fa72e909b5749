"""One attempt: sign, post to an address that is allowed, judge the answer by its status alone.

Redirects are not followed, no proxy is used, and what the receiver says beyond the status is read up
to 4 KB and thrown away. Nothing here touches the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks.webhooks import Webhook

from coachops import __version__
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.webhooks.addresses import Rules, parse, resolve

DEADLINE = 15.0
"""Seconds for an attempt in all, from resolving the name to the status."""
CONNECT = 5.0
"""Seconds to connect to one address of the host."""
_LINGER = 2.0
"""Seconds for the body of an answer whose status is known."""
_BODY = 4096
_ADDRESSES = 3

FAILURES = {
    "blocked": "its address may not be sent to",
    "dns": "its host name cannot be resolved",
    "connect": "no connection",
    "tls": "its certificate or encryption was refused",
    "timeout": "no answer in time",
    "broken": "the connection broke or the answer was not HTTP",
    "redirect": "it answered with a redirect, which is not followed",
    "status": "it answered with an error status",
    "gone": "it answered that it is gone",
    "key": "its secret cannot be opened",
    "stopped": "the worker was stopped in between",
}
"""Word for a failure -> what it means."""

TRANSLATED: tuple[tuple[type[Exception], str], ...] = (
    (httpx.TimeoutException, "timeout"),
    (httpx.ConnectError, "connect"),
    (httpx.TransportError, "broken"),
    (httpx.InvalidURL, "blocked"),
)
"""Errors of the library -> our word; the first that fits."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted.

    Attributes:
        message_id: the same at each attempt, so that a receiver can tell a repetition.
        secrets: each signs; the newest first.
    """

    url: str
    message_id: str
    body: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt.

    Attributes:
        failure: empty where it was accepted, else a word of `FAILURES`.
        retry_after: seconds that the receiver asked to be left alone.
    """

    status: int | None = None
    failure: str = ""
    retry_after: float | None = None


def headers_of(letter: Letter) -> dict[str, str]:
    """The headers of Standard Webhooks, signed now."""
    at = clock.now()
    signatures = [
        Webhook(secret).sign(letter.message_id, at, letter.body) for secret in letter.secrets
    ]
    return {
        "webhook-id": letter.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
        "user-agent": f"coachops/{__version__}",
        "accept-encoding": "identity",
    }


async def send(letter: Letter, rules: Rules) -> Answer:
    """Post it once; every failure is an answer with a word for it."""
    try:
        async with asyncio.timeout(DEADLINE):
            url = parse(letter.url, rules)
            addresses = await resolve(url, rules)
            for address in addresses[: _ADDRESSES - 1]:
                answer = await _post(letter, url, address)
                if answer.failure != "connect":  # nothing was sent: the next address may work
                    return answer
            return await _post(letter, url, addresses[-1])
    except TimeoutError:
        return Answer(failure="timeout")
    except CoachError:
        return Answer(failure="blocked")
    except OSError:
        return Answer(failure="dns")


async def _post(letter: Letter, url: httpx.URL, address: str) -> Answer:
    """Post to that address of the host; name and certificate stay those of the host."""
    try:
        async with (
            httpx.AsyncClient(
                verify=_certificates(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(DEADLINE, connect=CONNECT),
            ) as client,
            client.stream(
                "POST",
                url.copy_with(host=address),
                content=letter.body.encode(),
                headers=headers_of(letter) | {"host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            ) as response,
        ):
            await _drain(response)
            return _judged(response)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        return Answer(failure=word_for(error))


async def _drain(response: httpx.Response) -> None:
    """Let the receiver finish a short answer; its status counts whatever becomes of the rest."""
    size = 0
    with contextlib.suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_LINGER):
            async for chunk in response.aiter_raw(_BODY):
                size += len(chunk)
                if size >= _BODY:
                    return


def _judged(response: httpx.Response) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer(status)
    if status == 410:
        return Answer(status, "gone")
    if response.is_redirect or 300 <= status < 400:
        return Answer(status, "redirect")
    wait = retry_after(response.headers.get("retry-after")) if status in {429, 503} else None
    return Answer(status, "status", wait)


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After asks for, given in seconds or as a date; None where it is none."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - clock.now()).total_seconds())


def word_for(error: Exception) -> str:
    """Our word for an error of the library."""
    word = next(word for kind, word in TRANSLATED if isinstance(error, kind))
    cause: BaseException | None = error
    while word == "connect" and cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return word


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Those that the system trusts; reading them takes longer than all else of an attempt."""
    return ssl.create_default_context()
