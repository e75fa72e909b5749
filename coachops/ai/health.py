"""How the AI services are: who is asked, who rests until when, what today has cost.

Read from the shared state alone; nothing is sent.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai.shared import BREAKER, BUDGET, MENDED_BY_PEOPLE
from coachops.ai.stores import SqlCircuits
from coachops.ai.targets import Target, connected
from coachops.core import clock
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.models import AiBudget, AiSpend, Analysis

State = Literal["ready", "failing", "resting", "refused"]


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One service.

    Attributes:
        label: address and model.
        host: that words leave for.
        state: `ready`; `failing` (some calls in a row failed, calls go on); `resting` (left alone
            until `next_try`); `refused` (the key or the account: a person must act).
        failures: calls in a row that failed.
        code: of the last failure; None where the last call did well.
        next_try: when it is asked again; None where that is now.
        retries_left: whole tokens in the retry budget.
    """

    label: str
    host: str
    state: State
    failures: int
    code: str | None
    next_try: dt.datetime | None
    retries_left: int


@dataclass(frozen=True, slots=True)
class AiHealth:
    """All services in the order in which they are asked.

    Attributes:
        targets: empty where analyses stay on this machine.
        spent_usd: today (the organisation's), calls under way at their estimate.
        calls: requests today.
        limit_usd: a day; None without a limit.
        stand_ins: analyses by the local engine that wait to be made again.
    """

    targets: tuple[TargetHealth, ...]
    spent_usd: float
    calls: int
    limit_usd: float | None
    stand_ins: int

    @property
    def ok(self) -> bool:
        """Whether the next analysis would be made by a service, or none is set."""
        if not self.targets:
            return True
        within = self.limit_usd is None or self.spent_usd < self.limit_usd
        return within and any(each.state in {"ready", "failing"} for each in self.targets)


def health(database: Database, settings: Settings) -> AiHealth:
    """The state of the services that these settings name.

    Raises:
        CoachError: COACH-DB-… where the database does not answer.
    """
    now = clock.now()
    today = database.today()
    found = []
    with database.read() as session:
        circuits = SqlCircuits(session)
        for target in connected(settings):
            name = target.name if settings.has_ai_key else _seen(session, target)
            circuit = circuits.load(name)
            rest = BREAKER.resting(circuit, now)
            tokens = session.scalar(sa.select(AiBudget.tokens).where(AiBudget.target == name))
            state: State = "failing" if circuit.failures else "ready"
            if circuit.opened_at is not None:
                state = "refused" if circuit.last_code in MENDED_BY_PEOPLE else "resting"
            found.append(
                TargetHealth(
                    label=target.label,
                    host=target.host,
                    state=state,
                    failures=circuit.failures,
                    code=circuit.last_code if circuit.failures else None,
                    next_try=now + dt.timedelta(seconds=rest) if rest > 0 else None,
                    retries_left=int(BUDGET.size if tokens is None else tokens),
                )
            )
        spend = session.get(AiSpend, today)
        waiting = session.scalar(
            sa.select(sa.func.count())
            .select_from(Analysis)
            .where(Analysis.status == "degraded", Analysis.retry_at.is_not(None))
        )
        return AiHealth(
            targets=tuple(found),
            spent_usd=(spend.spent_microusd if spend else 0) / 1_000_000,
            calls=spend.calls if spend else 0,
            limit_usd=settings.ai_daily_limit_usd or None,
            stand_ins=waiting or 0,
        )


def _seen(session: Session, target: Target) -> str:
    """The name under which the worker asks: pages do not know the key that is part of it."""
    asked = (
        sa.select(AiBudget.target)
        .where(AiBudget.target.startswith(target.shared_prefix, autoescape=True))
        .order_by(AiBudget.filled_at.desc())
        .limit(1)
    )
    return session.scalar(asked) or target.name
