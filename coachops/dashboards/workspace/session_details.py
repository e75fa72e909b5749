"""How an analysis was made: engine, what was left out, what left the machine, unread lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coachops.coaching.review import ReviewAnalysis
from coachops.dashboards.components import (
    Column,
    Element,
    bullet_list,
    card,
    definition_list,
    html,
    link,
    paragraph,
    status_pill,
    table,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel


class DetailsPanel(Panel):
    """What a coach needs to know to trust an analysis, or not."""

    title = "How it was made"

    def data(self) -> object:
        """As the base says."""
        found = self.review
        return found.analysis, found.outbound, found.unparsed, found.held_back, found.role_state

    def build(self) -> Iterable[Any]:
        """As the base says."""
        found = self.review
        if found.analysis is not None:
            yield card("The analysis", [self._facts(found.analysis)])
            yield self._dropped(found.analysis)
        yield self._outbound()
        yield self._file()

    def _facts(self, made: ReviewAnalysis) -> Element:
        at = made.analysed_at.astimezone(self.view.workspace.services.settings.zone)
        cost = "" if made.engine == "local" else "unknown"
        if made.cost_usd:
            cost = f"${made.cost_usd:.4f}"
        rows: list[tuple[str, object]] = [
            ("Made by", made.label),
            ("Model", made.model),
            ("When", f"{wording.day(at.date())}, {at:%H:%M}"),
            ("Took", _seconds(made.duration_ms)),
            ("Cost", cost or "Nothing"),
        ]
        if made.degraded:
            rows.append(("Attention", status_pill("The AI service failed; rules stood in", "warn")))
        return definition_list(rows)

    def _dropped(self, made: ReviewAnalysis) -> Element:
        if not made.dropped_count and not self.review.held_back:
            return card(
                "Left out",
                [paragraph("Nothing: every finding is supported by the words it cites.")],
            )
        rows = [f"{number:,} \u00d7 {reason}" for reason, number in made.dropped]
        if self.review.held_back:
            rows.append(
                f"{self.review.held_back:,} \u00d7 its words were cut or hidden since; shown again "
                "when you undo that"
            )
        return card(
            "Left out",
            [
                paragraph(
                    "Each finding is checked against the transcript: the place, the speaker, the "
                    "words. What does not hold is not shown.",
                    muted=True,
                ),
                bullet_list(rows),
            ],
        )

    def _outbound(self) -> Element:
        sent = self.review.outbound
        if not sent:
            return card(
                "What left this machine",
                [paragraph("Nothing. No word of this session was sent to another service.")],
            )
        zone = self.view.workspace.services.settings.zone
        return card(
            "What left this machine",
            [
                table(
                    [
                        ("when", "When"),
                        ("host", "To"),
                        ("model", "Model"),
                        Column("utterances", "Utterances", "end"),
                        Column("size", "Size", "end"),
                    ],
                    [
                        {
                            "when": f"{each.at.astimezone(zone):%-d %b %Y %H:%M}",
                            "host": each.host,
                            "model": each.model,
                            "utterances": each.utterances,
                            "size": f"{max(1, each.request_bytes // 1024):,} kB",
                        }
                        for each in sent
                    ],
                    caption="Requests to other services for this transcript",
                )
            ],
            subtitle="Names were replaced before anything was sent",
        )

    def _file(self) -> Element:
        found = self.review
        if not found.unparsed:
            return card(
                "The file",
                [paragraph(f"Every line of {found.source_name} was imported.")],
            )
        return card(
            "The file",
            [
                paragraph(
                    f"{wording.count(len(found.unparsed), 'line')} of {found.source_name} could "
                    "not be imported. The original file is kept."
                ),
                Element(
                    html("<p>{}</p>", link("Correct them in the quarantine", "/app/quarantine"))
                ),
                table(
                    [
                        Column("line", "Line", "end", width="fit"),
                        ("reason", "Why"),
                        ("excerpt", "What stands there"),
                    ],
                    [
                        {"line": str(u["line"]), "reason": u["reason"], "excerpt": u["excerpt"]}
                        for u in found.unparsed[:200]
                    ],
                    caption="Lines that were not imported",
                ),
            ],
            tone="warn",
        )


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else "Less than a second"
