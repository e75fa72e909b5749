"""How the AI services are: which one answers, which one rests until when, what today has cost."""

from __future__ import annotations

import datetime as dt
from typing import Final

from coachops.ai.health import AiHealth, TargetHealth
from coachops.core.errors import CATALOGUE
from coachops.dashboards.components import Column, Element, Table, Tone, card, html, table
from coachops.dashboards.overview_parts import clock_time, counted

_STATES: Final[dict[str, tuple[str, Tone]]] = {
    "ready": ("Ready", "ok"),
    "failing": ("Some calls fail", "warn"),
    "resting": ("Resting", "bad"),
    "refused": ("Refused", "bad"),
}


class AiCard:
    """The card of the services in the order in which they are asked."""

    def __init__(self, zone: dt.tzinfo) -> None:
        self._zone = zone
        self._targets: Table = table(
            [
                Column("name", "Service", kind="html"),
                Column("state", "State", kind="pill", width="fit"),
                Column("next", "Next try", align="end"),
            ],
            [],
            caption="AI services",
            empty="No AI service is connected: analyses are made on this computer.",
        )
        self._facts = Element()
        self.widget = card(
            "AI services",
            [self._targets, self._facts],
            subtitle="Asked in this order; where all fail, the built-in engine stands in",
        )

    def show(self, health: AiHealth) -> None:
        """Replace what the card shows."""
        rows = [self._row(each) for each in health.targets]
        if rows != self._targets.rows:  # what a person points at stays
            self._targets.set_rows(rows)
        spent = f"${health.spent_usd:,.2f}"
        if health.limit_usd is not None:
            spent += f" of ${health.limit_usd:,.2f}"
        waiting = (
            f" {counted(health.stand_ins, 'analysis', 'analyses')} of the built-in engine "
            f"{'waits' if health.stand_ins == 1 else 'wait'} to be made again."
            if health.stand_ins
            else ""
        )
        self._facts.set_content(
            html(
                '<p class="ov-foot">Today: {}, {}.{}</p>',
                spent,
                counted(health.calls, "request"),
                waiting,
            )
        )

    def _row(self, target: TargetHealth) -> dict[str, object]:
        next_try = "now"
        if target.next_try is not None:
            next_try = clock_time(target.next_try, self._zone)
        spec = CATALOGUE.get(target.code or "")
        why = f"{spec.code}: {spec.happened.partition(' (')[0]}" if spec else ""
        return {
            "name": html(
                '<span class="ov-path">{}</span>{}',
                target.label,
                html('<br><span class="ov-bar-note">{}</span>', why) if why else "",
            ),
            "state": _STATES[target.state],
            "next": next_try,
        }
