"""One analysis through one service: parts, deadlines, retries, repair, and the record of what left."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from coachops.ai import chunks, prices, prompts
from coachops.ai.providers.openai import faults
from coachops.ai.providers.openai.schema import SessionAnalysis, to_result
from coachops.ai.providers.openai.transport import Sent, Transport, prepare
from coachops.ai.replies import Kept, Nothing, Outbound, key_of
from coachops.ai.shared import Guard, Leave, Unshared, busy
from coachops.ai.targets import Target
from coachops.ai.types import AnalysisRequest, EngineResult
from coachops.core.errors import CoachError
from coachops.resilience import Deadline, RetryPolicy

if TYPE_CHECKING:
    import httpx2

SEED = 7
"""Asked of models that take a seed, so that the same input gives the same result where it can."""

SMALLEST = 16
"""Pieces at most that a part is cut into when the model cannot hold it."""

_CHARS_PER_TOKEN = 3
_TOKENS_OF_FORM = 1_500
_TOKENS_OF_UTTERANCE = 30
"""For the booking before a call: rather too much than too little, corrected by the true count."""


@dataclass(frozen=True, slots=True)
class OpenAIEngine:
    """The engine.

    Attributes:
        base_url, api_key, model: from the settings.
        timeout: seconds for one call in all: its tries, its waits and a slow answer included.
        policy: tries and waits; its deadline is replaced by `timeout`.
        max_chars, max_utterances: size of a part.
        refused: optional parameters that this model refused; not sent again by this process.
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
    refused: set[str] = dataclasses.field(default_factory=set)

    @property
    def target(self) -> Target:
        """The service that is asked."""
        return Target(self.base_url, self.api_key, self.model)

    def analyse(
        self,
        request: AnalysisRequest,
        on_outbound: Callable[[Outbound], None],
        *,
        deadline: Deadline | None = None,
        guard: Guard | None = None,
        kept: Kept | None = None,
    ) -> EngineResult:
        """The result for the session.

        Parameters:
            request: names already replaced.
            on_outbound: told of every request that left, as soon as its fate is known.
            deadline: of the whole analysis; None: `timeout` for each call is the only limit.
            guard: asked before and told after each request; None: nothing is shared.
            kept: where replies are looked for first, and kept; None: nowhere.

        Raises:
            CoachError: COACH-AI-002 to COACH-AI-009.
        """
        prepare()
        parts = chunks.split(request, self.max_chars, self.max_utterances)
        run = _Run(self, len(parts), on_outbound, deadline, guard or Unshared(), kept or Nothing())
        with Transport(self.base_url, self.api_key.get_secret_value(), run.left) as transport:
            run.transport = transport
            return chunks.join([run.part(part) for part in parts])


class _Run:
    """The calls of one analysis."""

    def __init__(
        self,
        engine: OpenAIEngine,
        parts: int,
        on_outbound: Callable[[Outbound], None],
        deadline: Deadline | None,
        guard: Guard,
        kept: Kept,
    ) -> None:
        self._engine = engine
        self._parts = parts
        self._on_outbound = on_outbound
        self._deadline = deadline
        self._guard = guard
        self._kept = kept
        self._sent: Sent | None = None
        self._booked: Outbound | None = None
        self.transport: Transport | None = None

    def left(self, sent: Sent) -> None:
        """Note the request that leaves now."""
        self._sent = sent

    def part(self, request: AnalysisRequest, pieces: int = 1) -> EngineResult:
        """The result for one part; what is too long for the model is asked for in halves."""
        key = key_of(
            f"{self._engine.target.label} {prompts.VERSION}",
            prompts.messages(request, parts=self._parts),
        )
        try:
            return self._known(key) or self._asked(request, key)
        except Exception as error:
            if not faults.is_too_long(error):
                raise faults.translate(error) from error
            if len(request.utterances) < 2 or pieces >= SMALLEST:
                raise CoachError("COACH-AI-009", reason=faults.what_is_long(error)) from error
            if self._booked is not None:
                self._kept.put(key, None, self._booked)  # nor is the cut answer paid twice
        halves = chunks.halves(request)
        return chunks.join([self.part(half, pieces * 2) for half in halves])

    def _known(self, key: str) -> EngineResult | None:
        """The reply that is kept for this question; its request is put on record, if it is not yet."""
        reply = self._kept.get(key)
        if reply is None:
            return None
        try:
            answer = SessionAnalysis.model_validate_json(reply.content) if reply.content else None
        except ValidationError:
            return None  # of another version of the suite
        if not reply.logged:
            self._on_outbound(reply.sent)
        if answer is None:
            self._booked = None
            raise faults.TooLong
        return to_result(answer)

    def _asked(self, request: AnalysisRequest, key: str) -> EngineResult:
        """One answer, kept; a malformed one is asked for once more. Errors come untranslated."""
        try:
            answer = self._retried(request, repair=False)
        except Exception as error:
            if not faults.is_malformed(error):
                raise
            answer = self._retried(request, repair=True)
        if self._booked is not None:
            self._kept.put(key, answer.model_dump_json(), self._booked)
        return to_result(answer)

    def _retried(self, request: AnalysisRequest, *, repair: bool) -> SessionAnalysis:
        """One answer, with the retries that the service's state may need, before the deadline."""
        seconds = self._engine.timeout
        ends = self._deadline.within(seconds) if self._deadline else Deadline.after(seconds)
        policy = dataclasses.replace(self._engine.policy, deadline=ends.left())
        tries = 0
        last: Exception | None = None

        def once() -> SessionAnalysis:
            nonlocal tries, last
            tries += 1
            try:
                return self._adapted(request, repair, ends, first=tries == 1 and not repair)
            except CoachError as error:
                spared = error.code not in {"COACH-AI-004", "COACH-AI-005"}  # no leave to ask
                if last is None or not spared:
                    raise
                tries = policy.attempts
                raise last from error  # what happened says more than that no try is left
            except Exception as error:
                last = error
                raise

        def again(error: BaseException) -> bool:
            return (
                faults.is_transient(error)
                and tries < min(policy.attempts, faults.tries(error))
                and faults.retry_after(error) < ends.left()
                and error is last
                and self._guard.may_retry()
            )

        try:
            return policy.run(once, transient=again, minimum_wait=faults.retry_after)
        except Exception as error:
            pause = faults.retry_after(error)
            if pause > 0 and faults.is_transient(error) and pause >= ends.left():
                raise busy(pause) from error
            raise

    def _adapted(
        self, request: AnalysisRequest, repair: bool, ends: Deadline, *, first: bool
    ) -> SessionAnalysis:
        """One request without the parameters that this model does not take."""
        refused = self._engine.refused
        while True:
            try:
                return self._guarded(request, repair, ends, first=first)
            except Exception as error:
                name = faults.refused_parameter(error)
                if name is None or name in refused or name not in _options(self._engine.model):
                    raise
                refused.add(name)

    def _guarded(
        self, request: AnalysisRequest, repair: bool, ends: Deadline, *, first: bool
    ) -> SessionAnalysis:
        """One request, with leave before and the account of it after."""
        if ends.passed:
            raise TimeoutError
        messages = prompts.messages(request, parts=self._parts, repair=repair)
        leave = self._guard.admit(self._estimate(request, messages), first=first)
        error: BaseException | None = None
        try:
            return self._call(request, messages, ends.left())
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._settle(leave, error)

    def _settle(self, leave: Leave, error: BaseException | None) -> None:
        booked = self._booked
        cost: int | None = None
        if booked is not None and booked.input_tokens is not None:
            cost = prices.ceiling_microusd(
                self._engine.model,
                booked.input_tokens,
                booked.output_tokens or 0,
                booked.cached_tokens,
            )
        elif self._sent is None or (error is not None and faults.is_free(error)):
            cost = 0
        self._guard.settle(
            leave,
            faults.ended(error),
            cost,
            code=faults.code_of(error),
            pause=faults.retry_after(error) if error is not None else 0.0,
        )

    def _estimate(self, request: AnalysisRequest, messages: list[dict[str, str]]) -> int:
        """What a request may cost, millionths of a US dollar."""
        chars = sum(len(each["content"].encode()) for each in messages) + _form_chars()
        written = _TOKENS_OF_FORM + _TOKENS_OF_UTTERANCE * len(request.utterances)
        return prices.ceiling_microusd(self._engine.model, chars // _CHARS_PER_TOKEN, written)

    def _call(
        self, request: AnalysisRequest, messages: list[dict[str, str]], seconds: float
    ) -> SessionAnalysis:
        if self.transport is None:
            raise RuntimeError("a call outside the transport")
        self._sent = self._booked = None
        document: Any = None
        options = {
            name: value
            for name, value in _options(self._engine.model).items()
            if name not in self._engine.refused
        }
        try:
            # the raw reply first: the SDK stumbles over pages and empty objects with status 200
            reply: Any = self.transport.run(
                self.transport.client.chat.completions.with_raw_response.parse(
                    model=self._engine.model,
                    messages=messages,  # type: ignore[arg-type]  # the SDK's union of typed dicts
                    response_format=SessionAnalysis,
                    store=False,
                    **options,
                ),
                max(seconds, 0.001),
            )
            document = _document(reply.http_response)
        finally:
            self._book(request, document)
        answer = reply.parse()
        reason = answer.choices[0].finish_reason
        if reason is None:
            raise faults.Unended  # a stream that was cut; what came may be half of the answer
        if reason != "stop":
            raise CoachError("COACH-AI-005", reason="the answer has no proper end")
        message = answer.choices[0].message
        if message.parsed is None:
            raise CoachError("COACH-AI-005", reason="the service refused to answer")
        parsed: SessionAnalysis = message.parsed
        return parsed

    def _book(self, request: AnalysisRequest, document: Any) -> None:
        """Record the request that left, with the tokens the service counted."""
        if self._sent is None:
            return  # no connection: nothing left the machine
        usage = _mapping(_mapping(document).get("usage"))
        details = _mapping(usage.get("prompt_tokens_details"))
        self._booked = Outbound(
            host=self._sent.host,
            model=self._engine.model,
            utterances=len(request.utterances),
            request_bytes=self._sent.size,
            request_sha256=self._sent.sha256,
            input_tokens=_whole(usage.get("prompt_tokens")),
            output_tokens=_whole(usage.get("completion_tokens")),
            cached_tokens=_whole(details.get("cached_tokens")) or 0,
        )
        self._on_outbound(self._booked)


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


def _options(model: str) -> dict[str, Any]:
    """Optional parameters for the model, before it refuses any."""
    return {} if _reasons(model) else {"temperature": 0, "seed": SEED}


@functools.cache
def _form_chars() -> int:
    """Size of the form of the answer, which is sent along."""
    return len(json.dumps(SessionAnalysis.model_json_schema()))


def _reasons(model: str) -> bool:
    """Whether the model belongs to the families that refuse a temperature (o1, o3, gpt-5, …)."""
    name = model.rsplit("/", 1)[-1]
    return name.startswith("gpt-5") or (name[:1] == "o" and name[1:2].isdigit())
