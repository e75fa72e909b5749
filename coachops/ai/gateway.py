"""One call in front of the engines: which one, what leaves, what it cost, how it ended.

`auto` means the services where a key is set and `local` otherwise. The services are asked in their
order (primary model, second model, second provider) until one has done the whole analysis; where
`auto` asked them and all fail, the local engine answers and the reply is labelled degraded, with the
time from which another try is worth while. Who asks for `openai` by name gets the error instead.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from coachops.ai import prompts
from coachops.ai.prices import cost_microusd
from coachops.ai.providers.openai import OpenAIEngine, Outbound, prepare
from coachops.ai.redaction import PrivateName, Redactor
from coachops.ai.replies import KeptReplies
from coachops.ai.shared import BREAKER, MENDED_BY_PEOPLE, Permitted, SharedState
from coachops.ai.targets import Target, chain
from coachops.ai.types import ActionItem, AnalysisRequest, Citation, CitedText, EngineResult
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.resilience import Deadline

Engine = Literal["openai", "local"]
EngineChoice = Literal["auto", "openai", "local"]

_TRY_AGAIN = {"COACH-AI-002": 900.0, "COACH-AI-006": 900.0, "COACH-AI-009": 86_400.0}
"""Seconds until another try where a person must act first; all else: `_SOON`."""

_SOON = 60.0


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
        retry_at: from when a degraded one is worth another try.
    """

    result: EngineResult
    engine: Engine
    model: str
    status: Literal["complete", "degraded"]
    cost_microusd: int | None
    duration_ms: int
    outbound: tuple[Outbound, ...] = ()
    error_code: str | None = None
    retry_at: dt.datetime | None = None


class Gateway:
    """The engines of one process, wired from its settings.

    Parameters:
        database: where all processes keep what they know of the services.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._targets = chain(settings)
        self._state = SharedState(database, settings.ai_daily_limit_usd)
        self._engines = {
            each.name: OpenAIEngine(
                base_url=each.base_url,
                api_key=each.api_key,
                model=each.model,
                timeout=settings.openai_timeout,
            )
            for each in self._targets
        }

    def resolve(self, engine: EngineChoice) -> Engine:
        """The engine that will be asked first.

        Raises:
            CoachError: COACH-AI-001 where `openai` is asked for and there is no key.
        """
        if engine == "local":
            return "local"
        if self._targets:
            return "openai"
        if engine == "openai":
            raise CoachError("COACH-AI-001")
        return "local"

    def leaves_machine(self, engine: EngineChoice) -> bool:
        """Whether the words of a session would leave this machine."""
        return self.resolve(engine) == "openai"

    def hosts(self) -> tuple[str, ...]:
        """Every host that words may leave for, in the order in which they are asked."""
        return tuple(dict.fromkeys(each.host for each in self._targets))

    def model(self, engine: Engine) -> str:
        """Name of the model that is asked first, or the version of the local rules."""
        if engine == "openai":
            return self._settings.openai_model
        from coachops.ai.providers import local  # noqa: PLC0415 its word lists load at first use

        return local.VERSION

    def input_sha256(
        self, request: AnalysisRequest, engine: Engine, private: Sequence[PrivateName] = ()
    ) -> str:
        """Digest of exactly what the engine reads and in which version it reads it.

        For a service it names the first model, whichever answers: equal input is not paid again
        because the second model had to do the work.
        """
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
        before_request: Callable[[], None] | None = None,
        transcript_id: uuid.UUID | None = None,
    ) -> GatewayReply:
        """The analysis of a session.

        Parameters:
            request: what the engine may read; cut utterances and redacted words are not in it.
            engine: who is asked.
            private: people whose names are replaced before anything leaves.
            on_outbound: told of every request that leaves, also where the call fails in the end.
            before_request: called before each request; what it raises ends the call at once, so that
                nothing leaves any more (COACH-… errors count as a failure of that service).
            transcript_id: what replies are kept for until its analysis is stored; None: not kept.

        Raises:
            CoachError: COACH-AI-001 no key; 002 to 009 where `openai` was asked for by name.
        """
        started = clock.monotonic()
        outbound: list[Outbound] = []

        def note(sent: Outbound) -> None:
            outbound.append(sent)
            if on_outbound is not None:
                on_outbound(sent)

        chosen: Engine = self.resolve(engine)
        model = self.model(chosen)
        failures: list[tuple[Target, CoachError]] = []
        result: EngineResult | None = None
        if chosen == "openai":
            found = self._ask_services(
                request, private, note, transcript_id, failures, before_request or _always
            )
            if found is not None:
                result, model = found
            elif engine != "auto":
                raise failures[0][1]
            else:
                chosen, model = "local", self.model("local")
        degraded = chosen == "local" and bool(failures)
        return GatewayReply(
            result=result if result is not None else _ask_local(request),
            engine=chosen,
            model=model,
            status="degraded" if degraded else "complete",
            cost_microusd=cost_of(outbound),
            duration_ms=round((clock.monotonic() - started) * 1000),
            outbound=tuple(outbound),
            error_code=failures[0][1].code if degraded else None,
            retry_at=self._retry_at(failures) if degraded else None,
        )

    def _ask_services(
        self,
        request: AnalysisRequest,
        private: Sequence[PrivateName],
        note: Callable[[Outbound], None],
        transcript_id: uuid.UUID | None,
        failures: list[tuple[Target, CoachError]],
        before_request: Callable[[], None],
    ) -> tuple[EngineResult, str] | None:
        """The result and its model from the first service that does the whole analysis.

        None where all failed; `failures` says why, in their order, and is never empty then.
        """
        hidden, redactor, references = _hidden(request, private)
        prepare()
        deadline = Deadline.after(self._settings.ai_deadline)
        kept = KeptReplies(self._state, transcript_id) if transcript_id is not None else None
        for target in self._targets:
            if any(
                error.code in MENDED_BY_PEOPLE and target.same_account(before)
                for before, error in failures
            ):
                continue
            if failures and deadline.passed:
                break
            guard = Permitted(self._state.guard(target), before_request)
            try:
                result = self._engines[target.name].analyse(
                    hidden, note, deadline=deadline, guard=guard, kept=kept
                )
            except CoachError as error:
                failures.append((target, error))
                if error.code == "COACH-AI-008":
                    break  # the limit is one for all
            else:
                return _restored(result, redactor, references), target.model
        return None

    def _retry_at(self, failures: Sequence[tuple[Target, CoachError]]) -> dt.datetime:
        """The earliest time at which one of the services may do better."""
        now = clock.now()
        if any(
            error.code == "COACH-AI-008" and "retry_after" in error.details for _, error in failures
        ):  # without it, only the database was away for a moment
            return self._state.next_day()
        waits: list[float] = []
        for target, error in failures:
            asked = error.details.get("retry_after")
            wait = float(asked) if isinstance(asked, int | float) else 0.0
            wait = min(wait, BREAKER.pause_limit)
            wait = wait or _TRY_AGAIN.get(error.code, _SOON)
            waits.append(max(wait, self._state.next_try(target.name)))
        return now + dt.timedelta(seconds=min(waits))


def _always() -> None:
    """Nothing forbids the request."""


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


def _hidden(
    request: AnalysisRequest, private: Sequence[PrivateName]
) -> tuple[AnalysisRequest, Redactor, dict[str, str]]:
    """The request as it leaves, who puts the names back, and our ids behind short references."""
    texts = [each.text for each in request.utterances]
    texts += [each.text for each in request.open_commitments]
    redactor = Redactor(private, texts)
    references = {f"c{number}": each.id for number, each in enumerate(request.open_commitments, 1)}
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
    return hidden, redactor, references


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
