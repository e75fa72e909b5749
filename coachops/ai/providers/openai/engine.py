"""One analysis through the service: parts, deadline, retries, repair, and the record of what left."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from coachops.ai import chunks, prompts
from coachops.ai.providers.openai import faults
from coachops.ai.providers.openai.schema import SessionAnalysis, to_result
from coachops.ai.providers.openai.transport import Sent, Transport
from coachops.ai.types import AnalysisRequest, EngineResult
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.resilience import RetryPolicy

if TYPE_CHECKING:
    import httpx2

SEED = 7
"""Asked of models that take a seed, so that the same input gives the same result where it can."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One HTTP request that left the machine, whether or not an answer came.

    Attributes:
        host: it went to.
        model: asked.
        utterances: how many of the session it held.
        request_bytes, request_sha256: of the body as sent.
        input_tokens, output_tokens: as the service counted them; None where it did not answer.
        cached_tokens: the part of `input_tokens` that the service had in its cache.
    """

    host: str
    model: str
    utterances: int
    request_bytes: int
    request_sha256: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class OpenAIEngine:
    """The engine.

    Attributes:
        base_url, api_key, model: from the settings.
        timeout: seconds for one call in all: its tries, its waits and a slow answer included.
        policy: tries and waits; its deadline is replaced by `timeout`.
        max_chars, max_utterances: size of a part.
    """

    base_url: str
    api_key: SecretStr
    model: str
    timeout: float
    policy: RetryPolicy = dataclasses.field(
        default_factory=lambda: RetryPolicy(attempts=4, base=0.5, cap=8.0)
    )
    max_chars: int = chunks.MAX_CHARS
    max_utterances: int = chunks.MAX_UTTERANCES

    def analyse(
        self, request: AnalysisRequest, on_outbound: Callable[[Outbound], None]
    ) -> EngineResult:
        """The result for the session.

        Parameters:
            request: names already replaced.
            on_outbound: told of every request that left, as soon as its fate is known.

        Raises:
            CoachError: COACH-AI-002 to COACH-AI-006.
        """
        parts = chunks.split(request, self.max_chars, self.max_utterances)
        run = _Run(self, len(parts), on_outbound)
        with Transport(self.base_url, self.api_key.get_secret_value(), run.left) as transport:
            run.transport = transport
            return chunks.join([run.part(part) for part in parts])


class _Run:
    """The calls of one analysis."""

    def __init__(
        self, engine: OpenAIEngine, parts: int, on_outbound: Callable[[Outbound], None]
    ) -> None:
        self._engine = engine
        self._parts = parts
        self._on_outbound = on_outbound
        self._options: dict[str, Any] = {"temperature": 0, "seed": SEED}
        if _reasons(engine.model):
            self._options = {}
        self._sent: Sent | None = None
        self.transport: Transport | None = None

    def left(self, sent: Sent) -> None:
        """Note the request that leaves now."""
        self._sent = sent

    def part(self, request: AnalysisRequest) -> EngineResult:
        """The result for one part; an answer that was cut is asked for again in two halves."""
        try:
            return self._asked(request)
        except Exception as error:
            if not faults.is_too_long(error) or len(request.utterances) < 2:
                raise faults.translate(error) from error
        try:
            return chunks.join([self._asked(half) for half in chunks.halves(request)])
        except Exception as error:
            raise faults.translate(error) from error

    def _asked(self, request: AnalysisRequest) -> EngineResult:
        """One answer; a malformed one is asked for once more. Errors come untranslated."""
        try:
            return self._retried(request, repair=False)
        except Exception as error:
            if not faults.is_malformed(error):
                raise
        return self._retried(request, repair=True)

    def _retried(self, request: AnalysisRequest, *, repair: bool) -> EngineResult:
        """One answer, with the retries that the service's state may need, before the deadline."""
        ends = clock.monotonic() + self._engine.timeout
        policy = dataclasses.replace(self._engine.policy, deadline=self._engine.timeout)

        def once() -> EngineResult:
            while True:
                try:
                    return self._call(request, repair, ends - clock.monotonic())
                except Exception as error:
                    refused = faults.refused_parameter(error)
                    if refused is None or refused not in self._options:
                        raise
                    del self._options[refused]  # this model does not take it: ask without

        return policy.run(once, transient=faults.is_transient, minimum_wait=faults.retry_after)

    def _call(self, request: AnalysisRequest, repair: bool, seconds: float) -> EngineResult:
        if self.transport is None:
            raise RuntimeError("a call outside the transport")
        self._sent = None
        document: Any = None
        try:
            # the raw reply first: the SDK stumbles over pages and empty objects with status 200
            reply: Any = self.transport.run(
                self.transport.client.chat.completions.with_raw_response.parse(
                    model=self._engine.model,
                    messages=prompts.messages(request, parts=self._parts, repair=repair),  # type: ignore[arg-type]  # the SDK's union of typed dicts
                    response_format=SessionAnalysis,
                    store=False,
                    **self._options,
                ),
                max(seconds, 0.001),
            )
            document = _document(reply.http_response)
        finally:
            self._book(request, document)
        answer = reply.parse()
        if answer.choices[0].finish_reason != "stop":
            raise CoachError("COACH-AI-005", reason="the answer has no proper end")
        message = answer.choices[0].message
        if message.parsed is None:
            raise CoachError("COACH-AI-005", reason="the service refused to answer")
        return to_result(message.parsed)

    def _book(self, request: AnalysisRequest, document: Any) -> None:
        """Record the request that left, with the tokens the service counted."""
        if self._sent is None:
            return  # no connection: nothing left the machine
        usage = _mapping(_mapping(document).get("usage"))
        details = _mapping(usage.get("prompt_tokens_details"))
        self._on_outbound(
            Outbound(
                host=self._sent.host,
                model=self._engine.model,
                utterances=len(request.utterances),
                request_bytes=self._sent.size,
                request_sha256=self._sent.sha256,
                input_tokens=_whole(usage.get("prompt_tokens")),
                output_tokens=_whole(usage.get("completion_tokens")),
                cached_tokens=_whole(details.get("cached_tokens")) or 0,
            )
        )


def _document(response: httpx2.Response) -> dict[str, Any]:
    """The reply as JSON with at least one choice; what is anything else is no answer."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind.startswith("text/"):
        raise CoachError("COACH-AI-004", reason=f"a page of type {kind}")
    document = json.loads(response.content)
    if not isinstance(document, dict) or not document.get("choices"):
        raise CoachError("COACH-AI-004", reason="an answer without choices")
    return document


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _reasons(model: str) -> bool:
    """Whether the model belongs to the families that refuse a temperature (o1, o3, gpt-5, …)."""
    name = model.rsplit("/", 1)[-1]
    return name.startswith("gpt-5") or (name[:1] == "o" and name[1:2].isdigit())
