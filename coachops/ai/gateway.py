"""One call in front of the engines: which engine, what leaves, what it cost, how it ended.

`auto` means `openai` where a key is set and `local` otherwise; where `auto` chose `openai` and the
service fails, the local engine answers and the reply is labelled degraded. Who asks for `openai` by
name gets the error instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from coachops.ai import prompts
from coachops.ai.prices import cost_microusd
from coachops.ai.providers.openai import OpenAIEngine, Outbound
from coachops.ai.redaction import PrivateName, Redactor
from coachops.ai.types import ActionItem, AnalysisRequest, Citation, CitedText, EngineResult
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings

Engine = Literal["openai", "local"]
EngineChoice = Literal["auto", "openai", "local"]


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """What an analysis gave.

    Attributes:
        result: of the engine, unchecked.
        engine, model: that made it; for `local` the model is the version of its rules.
        status: `degraded` where the local engine stood in for a failed service.
        cost_microusd: millionths of a US dollar; None where the model has no known price.
        duration_ms: of the whole call.
        outbound: every request that left the machine, failed ones included.
        error_code: of the failure behind a degraded reply.
    """

    result: EngineResult
    engine: Engine
    model: str
    status: Literal["complete", "degraded"]
    cost_microusd: int | None
    duration_ms: int
    outbound: tuple[Outbound, ...] = ()
    error_code: str | None = None


class Gateway:
    """The engines of one process, wired from its settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._openai = OpenAIEngine(
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            model=settings.openai_model,
            timeout=settings.openai_timeout,
        )

    def resolve(self, engine: EngineChoice) -> Engine:
        """The engine that will be asked first.

        Raises:
            CoachError: COACH-AI-001 where `openai` is asked for and there is no key.
        """
        if engine == "local":
            return "local"
        if self._settings.has_ai_key:
            return "openai"
        if engine == "openai":
            raise CoachError("COACH-AI-001")
        return "local"

    def leaves_machine(self, engine: EngineChoice) -> bool:
        """Whether the words of a session would leave this machine."""
        return self.resolve(engine) == "openai"

    def model(self, engine: Engine) -> str:
        """Name of the model, or the version of the local rules."""
        if engine == "openai":
            return self._settings.openai_model
        from coachops.ai.providers import local  # noqa: PLC0415 its word lists load at first use

        return local.VERSION

    def input_sha256(
        self, request: AnalysisRequest, engine: Engine, private: Sequence[PrivateName] = ()
    ) -> str:
        """Digest of exactly what the engine reads and in which version it reads it."""
        document = {
            "request": request.model_dump(mode="json"),
            "engine": engine,
            "model": self.model(engine),
            "prompt": prompts.VERSION if engine == "openai" else None,
            "private": [[each.role, each.name] for each in private] if engine == "openai" else [],
        }
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def analyse(
        self,
        request: AnalysisRequest,
        engine: EngineChoice = "auto",
        *,
        private: Sequence[PrivateName] = (),
        on_outbound: Callable[[Outbound], None] | None = None,
    ) -> GatewayReply:
        """The analysis of a session.

        Parameters:
            request: what the engine may read; cut utterances and redacted words are not in it.
            engine: who is asked.
            private: people whose names are replaced before anything leaves.
            on_outbound: told of every request that leaves, also where the call fails in the end.

        Raises:
            CoachError: COACH-AI-001 no key; 002 to 006 where `openai` was asked for by name.
        """
        started = clock.monotonic()
        outbound: list[Outbound] = []

        def note(sent: Outbound) -> None:
            outbound.append(sent)
            if on_outbound is not None:
                on_outbound(sent)

        chosen = self.resolve(engine)
        failure: CoachError | None = None
        if chosen == "openai":
            try:
                result = self._ask_openai(request, private, note)
            except CoachError as error:
                if engine != "auto":
                    raise
                failure, chosen = error, "local"
                result = _ask_local(request)
        else:
            result = _ask_local(request)
        return GatewayReply(
            result=result,
            engine=chosen,
            model=self.model(chosen),
            status="degraded" if failure else "complete",
            cost_microusd=cost_of(outbound),
            duration_ms=round((clock.monotonic() - started) * 1000),
            outbound=tuple(outbound),
            error_code=failure.code if failure else None,
        )

    def _ask_openai(
        self,
        request: AnalysisRequest,
        private: Sequence[PrivateName],
        note: Callable[[Outbound], None],
    ) -> EngineResult:
        texts = [each.text for each in request.utterances]
        texts += [each.text for each in request.open_commitments]
        redactor = Redactor(private, texts)
        references = {
            f"c{number}": each.id for number, each in enumerate(request.open_commitments, 1)
        }
        hidden = request.model_copy(
            update={
                "utterances": tuple(
                    each.model_copy(update={"text": redactor.hide(each.text)})
                    for each in request.utterances
                ),
                "open_commitments": tuple(
                    each.model_copy(update={"id": reference, "text": redactor.hide(each.text)})
                    for reference, each in zip(references, request.open_commitments, strict=True)
                ),
            }
        )
        return _restored(self._openai.analyse(hidden, note), redactor, references)


def cost_of(outbound: Sequence[Outbound]) -> int | None:
    """Millionths of a US dollar for these requests; None where a model has no known price."""
    costs = [
        cost_microusd(each.model, each.input_tokens, each.output_tokens or 0, each.cached_tokens)
        for each in outbound
        if each.input_tokens is not None
    ]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _ask_local(request: AnalysisRequest) -> EngineResult:
    from coachops.ai.providers import local  # noqa: PLC0415 its word lists load at first use

    return local.analyse(request)


def _restored(result: EngineResult, redactor: Redactor, references: dict[str, str]) -> EngineResult:
    """The result with names and commitment ids put back."""

    def cited(texts: list[CitedText]) -> list[CitedText]:
        return [
            CitedText(text=redactor.restore(each.text), citations=citations(each.citations))
            for each in texts
        ]

    def citations(found: list[Citation]) -> list[Citation]:
        return [each.model_copy(update={"quote": redactor.restore(each.quote)}) for each in found]

    def action(each: ActionItem) -> ActionItem:
        return each.model_copy(
            update={
                "text": redactor.restore(each.text),
                "due_phrase": redactor.restore(each.due_phrase) if each.due_phrase else None,
                # an unknown reference stays as it is: the citation check drops and counts it
                "carries": references.get(each.carries, each.carries) if each.carries else None,
                "citations": citations(each.citations),
            }
        )

    return EngineResult(
        summary=cited(result.summary),
        themes=cited(result.themes),
        behaviours=result.behaviours,
        action_items=[action(each) for each in result.action_items],
        follow_up=cited(result.follow_up),
    )
