"""The analysis of a session: summary, themes, counts, suggestions, each sentence with its source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from coachops.coaching.review import (
    ReviewAnalysis,
    ReviewCount,
    ReviewInsight,
    edit_insight,
    restore_insight,
)
from coachops.core import clock
from coachops.dashboards.components import (
    Element,
    area,
    button,
    card,
    details,
    empty_state,
    html,
    join,
    metric,
    metric_row,
    notice,
    paragraph,
    row,
    stack,
    status_pill,
    text_area,
)
from coachops.dashboards.transcript_view import citations
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel
from coachops.dashboards.workspace.parts import Choices, small_button

if TYPE_CHECKING:
    from coachops.dashboards.workspace.session import SessionView

_KINDS: Final = (
    ("summary", "Summary", "The summary is empty: nothing stood out clearly enough to be cited."),
    ("theme", "Themes", "No theme came up often enough to be named."),
    ("follow_up", "Ideas for the follow-up", "No suggestion for the follow-up."),
)


class AnalysisPanel(Panel):
    """Everything that was found, to be checked and put into the coach's own words."""

    title = "Analysis"

    def data(self) -> object:
        """As the base says."""
        found = self.review
        return (
            found.state, found.analysis, found.insights, found.removed, found.counts,
            found.held_back,
        )  # fmt: skip

    def build(self) -> Iterable[Any]:
        """As the base says."""
        found = self.review
        if found.analysis is None:
            return [
                empty_state(
                    "Nothing is analysed yet",
                    "As soon as the analysis is there, you read it here, beside the transcript.",
                )
            ]
        lists = [
            card(
                title,
                [InsightList(self.view, found.of_kind(kind), empty)],
                actions=self._to_the_draft() if kind == "follow_up" else (),
            )
            for kind, title, empty in _KINDS
        ]
        return [
            Element(
                html(
                    '<p class="ws-source">{}{} <span>{}</span></p>',
                    status_pill("Your own account", "info") if found.kind == "notes" else "",
                    status_pill(*_source(found.analysis.engine, degraded=found.analysis.degraded)),
                    found.analysis.label,
                )
            ),
            *self._news(found.analysis),
            *lists[:2],
            *([card("In numbers", [_numbers(found.counts)], subtitle=_NO_SCORE)]
              if found.counts else []),
            lists[2],
            *self._left_out(),
        ]  # fmt: skip

    def _news(self, made: ReviewAnalysis) -> list[Element]:
        """What the coach should know of how it came about, before reading it."""
        news = []
        if made.degraded:
            news.append(
                notice(
                    "warn",
                    "The AI service was away: the built-in engine stood in",
                    f"The session is analysed again by itself{self._from(made.retry_at)}. "
                    "What you edit here stays.",
                    code=made.error_code or "",
                )
            )
        elif made.again:
            news.append(
                notice(
                    "info",
                    f"Analysed again by {made.model}",
                    "The AI service is back and replaced what the built-in engine had found. Your "
                    "own wording and removals were kept.",
                )
            )
        if made.instructions:
            news.append(
                notice(
                    "warn",
                    "Some words read as if addressed to an AI",
                    "They were taken as words of the session, nothing more. Look at these lines, "
                    "and at what cites them, before you use the analysis.",
                    actions=[Element(citations(made.instructions, self.view.transcript))],
                )
            )
        return news

    def _from(self, retry_at: dt.datetime | None) -> str:
        """From when, where that is not soon."""
        if retry_at is None or retry_at - clock.now() < dt.timedelta(minutes=5):
            return " when the service is back"
        at = retry_at.astimezone(self.view.workspace.services.settings.zone)
        return f", not before {wording.day(at.date())}, {at:%H:%M}"

    def _to_the_draft(self) -> list[Any]:
        return [button("See the draft", lambda: self.view.open("follow-up"))]

    def _left_out(self) -> list[Element]:
        found, parts = self.review, []
        if found.removed:
            parts.append(
                details(
                    f"Removed by you ({len(found.removed)})",
                    [InsightList(self.view, found.removed, "")],
                )
            )
        dropped = found.analysis.dropped_count if found.analysis else 0
        if dropped or found.held_back:
            text = wording.listed(
                [
                    f"{wording.count(dropped, 'finding')} left out because the transcript "
                    "does not support it" + ("" if dropped == 1 else " word by word")
                    if dropped
                    else "",
                    f"{wording.count(found.held_back, 'finding')} held back because its words "
                    "were cut or hidden since"
                    if found.held_back
                    else "",
                ]
            )
            parts.append(
                stack(
                    [
                        paragraph(text, muted=True),
                        button("See the reasons", lambda: self.view.open("details"), "quiet"),
                    ]
                )
            )
        return parts


_NO_SCORE: Final = "Counts, not marks: there is no good or bad number."


def _source(engine: str, *, degraded: bool) -> wording.State:
    if degraded:
        return "AI service failed: made on this computer", "warn"
    return ("AI-generated", "info") if engine == "openai" else ("Made on this computer", "neutral")


def _numbers(counts: Sequence[ReviewCount]) -> Element:
    made = metric_row(
        metric(each.label, _value(each), each.made_of, each.definition) for each in counts
    )
    made.classes += " ws-numbers"
    return made


def _value(each: ReviewCount) -> str:
    if each.value is None:
        return "\u2013"
    if each.unit == "share":
        return f"{each.value * 100:.0f} %"
    if each.unit == "ms":
        return wording.length(int(each.value)) or "0 min"
    return f"{each.value:,}"


class InsightList(Choices):
    """Cited sentences with edit, remove and restore; the coach's words lie over the engine's."""

    def __init__(self, view: SessionView, insights: Sequence[ReviewInsight], empty: str) -> None:
        super().__init__(classes="ws-findings")
        self._view, self._insights = view, {each.anchor: each for each in insights}
        if not insights:
            self.offer(html('<p class="co-empty-line">{}</p>', empty) if empty else "", {})
            return
        handlers: dict[tuple[str, str], Callable[[], object]] = {}
        items = [self._item(each, handlers) for each in insights]
        self.offer(html('<ul class="co-cited">{}</ul>', join(items)), handlers)

    def _item(
        self, each: ReviewInsight, handlers: dict[tuple[str, str], Callable[[], object]]
    ) -> Markup:
        tools: list[Markup] = []
        about = f"sentence: {each.text[:60]}"

        def tool(label: str, name: str, run: Callable[[], object]) -> None:
            handlers[name, each.anchor] = run
            tools.append(
                small_button(
                    label, name, each.anchor, about=about, kind="quiet", changes=name != "edit"
                )
            )

        if self._view.may_change:
            if each.removed:
                tool("Put back", "restore", lambda: self._restore(each))
            else:
                tool("Edit", "edit", lambda: self._edit(each))
                tool("Remove", "remove", lambda: self._set(each, None))
                if each.edited:
                    tool("Undo my wording", "restore", lambda: self._restore(each))
        return html(
            '<li class="ws-finding"><p>{} {}{}</p><div class="ws-tools">{}</div>'
            '<div data-slot="{}"></div></li>',
            each.text,
            status_pill("Your words", "ok") if each.edited and not each.removed else "",
            citations(sorted({c.position for c in each.citations}), self._view.transcript),
            join(tools),
            f"edit-{each.anchor}",
        )

    def _edit(self, each: ReviewInsight) -> None:
        slot = f"edit-{each.anchor}"
        errors = area()
        words = text_area("Your wording", value=each.text, rows=3, max_length=4_000)

        def save() -> None:
            self._set(each, words.data)

        words.on_submit(save)
        self.fill(
            slot,
            [
                stack(
                    [
                        words,
                        errors,
                        row(
                            [
                                button("Save", save, "primary", area=errors),
                                button("Cancel", lambda: self.fill(slot, []), "quiet"),
                            ]
                        ),
                    ]
                )
            ],
        )

    def _set(self, each: ReviewInsight, text: str | None) -> None:
        view = self._view
        edit_insight(
            view.workspace.database,
            view.workspace.actor,
            view.transcript_id,
            each.kind,
            each.anchor,
            text,
            version=each.version,
        )
        view.reload()

    def _restore(self, each: ReviewInsight) -> None:
        view = self._view
        restore_insight(
            view.workspace.database,
            view.workspace.actor,
            view.transcript_id,
            each.kind,
            each.anchor,
            version=each.version,
        )
        view.reload()
