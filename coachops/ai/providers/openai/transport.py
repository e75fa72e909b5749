"""One client of the SDK on its own event loop, so that every call has a deadline that holds.

A time limit of the HTTP library counts the wait for each piece; a service that drips a byte at a
time keeps such a call alive without end. Here the whole call is a task that is cancelled, which
closes its connection. The loop runs in a thread of its own, because notebooks already run one.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    import httpx2
    import openai

T = TypeVar("T")

LARGEST_ANSWER = 10_000_000
"""Bytes of an answer; one that goes on for longer is none."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One HTTP request as it left: digest and size of its body, and the host."""

    host: str
    size: int
    sha256: str


class Transport:
    """A client for the length of a `with` block, made when it is first needed.

    Parameters:
        base_url, api_key: of the service.
        on_sent: called with each request just before it leaves.
    """

    def __init__(self, base_url: str, api_key: str, on_sent: Callable[[Sent], None]) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._on_sent = on_sent
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: openai.AsyncOpenAI | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is None or self._thread is None:
            return  # nothing was asked
        try:
            if self._client is not None:
                self.run(self._close(self._client), 10)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def client(self) -> openai.AsyncOpenAI:
        """The SDK's client; its coroutines are for `run`."""
        if self._client is None:
            self._client = self.run(self._open(), 10)
        return self._client

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """The result of `work`, which is cancelled after `seconds` in all.

        Raises:
            TimeoutError: at the deadline.
        """

        async def bounded() -> T:
            async with asyncio.timeout(seconds):
                return await work

        return asyncio.run_coroutine_threadsafe(bounded(), self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="ai-calls", daemon=True
            )
            self._thread.start()
        return self._loop

    async def _open(self) -> openai.AsyncOpenAI:
        import openai  # noqa: PLC0415 hundreds of modules that only this engine needs

        async def note(request: httpx2.Request) -> None:
            body = await request.aread()
            self._on_sent(Sent(request.url.host, len(body), hashlib.sha256(body).hexdigest()))

        return openai.AsyncOpenAI(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,  # one retry layer only: ours
            timeout=600,  # per piece; the deadline of `run` is what ends a call
            default_headers={"Accept-Encoding": "identity"},  # a packed answer has no known size
            http_client=openai.DefaultAsyncHttpxClient(
                verify=_certificates(),
                event_hooks={"request": [note], "response": [_bounded]},
                follow_redirects=False,
            ),
        )

    async def _close(self, client: openai.AsyncOpenAI) -> None:
        await client.close()
        await asyncio.get_running_loop().shutdown_asyncgens()


def prepare() -> None:
    """Load what a first call needs, which takes seconds on a busy machine: no part of its time."""
    import openai  # noqa: F401, PLC0415 loading it is the purpose

    _certificates()


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: reading them takes longer than all else of a client."""
    import httpx2  # noqa: PLC0415 comes with the SDK

    return httpx2.create_ssl_context()


async def _bounded(response: httpx2.Response) -> None:
    """Refuse an answer without end before it fills the memory."""
    import httpx2  # noqa: PLC0415 comes with the SDK

    if response.headers.get("content-encoding", "identity") != "identity":
        raise CoachError("COACH-AI-004", reason="a packed answer that nobody asked for")
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        return
    whole: httpx2.AsyncByteStream = stream

    class Limited(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in whole:
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    raise CoachError("COACH-AI-004", reason="an answer without end")
                yield chunk

        async def aclose(self) -> None:
            await whole.aclose()

    response.stream = Limited()
