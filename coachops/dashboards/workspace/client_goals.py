"""Goals on a five-level scale, described beforehand, and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from coachops.coaching.goals import (
    LEVEL_LIMIT,
    LEVELS,
    NOTE_LIMIT,
    TITLE_LIMIT,
    GoalRow,
    add_goal,
    edit_goal,
    list_goals,
    rate_goal,
)
from coachops.dashboards.charts import Series, line_chart
from coachops.dashboards.components import (
    Area,
    Element,
    area,
    button,
    card,
    date_input,
    details,
    dispose,
    html,
    join,
    row,
    select,
    stack,
    status_pill,
    text_input,
)
from coachops.dashboards.workspace import wording

if TYPE_CHECKING:
    from coachops.dashboards.workspace.client import ClientView

_LEVEL_WORDS: Final[dict[int, str]] = {
    2: "Much more than expected",
    1: "More than expected",
    0: "As expected",
    -1: "Less than expected",
    -2: "Much less than expected",
}
_HELP: Final = (
    "Describe the five levels together with your client, before you rate: each so that both of you "
    "could tell whether it has been reached."
)
_STATES: Final[dict[str, wording.State]] = {
    "reached": ("Reached", "ok"),
    "dropped": ("Dropped", "neutral"),
}


class GoalsCard:
    """The goals of a client with their levels, ratings, and the forms to add and to rate."""

    def __init__(self, view: ClientView) -> None:
        self._view = view
        self.element: Element = card(
            "Goals", [], subtitle="Agreed with the client, each on five described levels"
        )
        self._fill()

    def _who(self) -> tuple[Any, Any]:
        return self._view.workspace.database, self._view.workspace.actor

    def _fill(self) -> None:
        goals = list_goals(*self._who(), self._view.client_id)
        old = self.element.children
        parts: list[Any] = [self._goal(goal) for goal in goals if goal.status == "open"]
        closed = [goal for goal in goals if goal.status != "open"]
        if not parts:
            parts = [Element(html('<p class="co-empty-line">No open goal.</p>'))]
        if closed:
            parts.append(
                details(f"Closed goals ({len(closed)})", [self._goal(goal) for goal in closed])
            )
        if self._view.may_change:
            parts.append(self._adding())
        self.element.children = parts
        dispose(old)

    def _goal(self, goal: GoalRow) -> Element:
        now = goal.latest.level if goal.latest else None
        levels = join(
            html(
                '<li class="{}"><span class="ws-scale-level">{}</span><span>{}{}</span></li>',
                "ws-scale-now" if level == now else "",
                _sign(level),
                goal.levels.get(level) or _LEVEL_WORDS[level],
                html('<span class="co-hidden"> (now)</span>') if level == now else "",
            )
            for level in sorted(LEVELS, reverse=True)
        )
        rated = (
            f"Rated {wording.ago(goal.latest.rated_on, self._view.workspace.today)} by the "
            f"{goal.latest.rated_by}"
            if goal.latest
            else "Not rated yet"
        )
        parts: list[Any] = [
            Element(
                html(
                    '<h3 class="ws-consent-title">{} {}</h3><p class="ws-facts">{}</p>'
                    '<ul class="ws-scale">{}</ul>',
                    goal.title,
                    status_pill(*_STATES[goal.status]) if goal.status in _STATES else "",
                    rated,
                    levels,
                )
            )
        ]
        if chart := _chart(goal):
            parts.append(details("How it went", [chart]))
        if self._view.may_change:
            parts.append(self._changing(goal))
        return stack(parts)

    def _changing(self, goal: GoalRow) -> Element:
        errors = area()
        if goal.status != "open":
            return row([self._status_button("Open again", goal, "open", errors), errors])
        choices = [
            (f"{_sign(level)}  {goal.levels.get(level) or _LEVEL_WORDS[level]}", level)
            for level in sorted(LEVELS, reverse=True)
        ]
        now = goal.latest.level if goal.latest else 0
        level = select("Where does it stand?", choices, value=now)
        rater = select("Whose view?", [("Mine", "coach"), ("The client's", "client")])
        today = self._view.workspace.today
        day = date_input("On which day?", value=today, most=today)
        note = text_input("Note", max_length=NOTE_LIMIT, mark_optional=True)

        def rate() -> None:
            rate_goal(
                *self._who(),
                goal.id,
                now if level.data is None else level.data,
                rated_by=rater.data or "coach",
                rated_on=day.data or today,
                note=note.data,
            )
            self._changed()

        return details(
            f"Rate or close \u201c{goal.title}\u201d",
            [
                level,
                row([rater, day]),
                note,
                errors,
                row(
                    [
                        button("Save the rating", rate, "primary", area=errors),
                        self._status_button("Reached", goal, "reached", errors),
                        self._status_button("Drop the goal", goal, "dropped", errors),
                    ]
                ),
            ],
        )

    def _status_button(self, label: str, goal: GoalRow, status: str, errors: Area) -> Any:
        def change() -> None:
            edit_goal(*self._who(), goal.id, status=status)
            self._changed()

        return button(label, change, "quiet", area=errors, description=goal.title)

    def _adding(self) -> Element:
        errors = area()
        title = text_input("What is the goal?", max_length=TITLE_LIMIT, required=True)
        levels = {
            level: text_input(
                f"{_sign(level)}  {_LEVEL_WORDS[level]}",
                max_length=LEVEL_LIMIT,
                required=True,
            )
            for level in sorted(LEVELS, reverse=True)
        }
        weight = select(
            "How important is it?",
            [("Normal", 1), ("More", 2), ("Much more", 3), ("Very", 4), ("The most", 5)],
        )

        def add() -> None:
            add_goal(
                *self._who(),
                self._view.client_id,
                title.data,
                {level: each.data for level, each in levels.items()},
                weight.data or 1,
            )
            self._changed()

        return details(
            "Add a goal",
            [
                Element(html('<p class="co-help">{}</p>', _HELP)),
                title,
                *levels.values(),
                weight,
                errors,
                row([button("Add the goal", add, "primary", area=errors)]),
            ],
        )

    def _changed(self) -> None:
        self._fill()
        refresh: Callable[[], None] = self._view.refresh
        refresh()


def _sign(level: int) -> str:
    return f"{level:+d}" if level else "0"


def _chart(goal: GoalRow) -> Any | None:
    """The ratings over time; of several on one day the last one. None where there is no line yet."""
    by_day = {rating.rated_on: rating.level for rating in goal.ratings}
    if len(by_day) < 2:
        return None
    days = sorted(by_day)
    return line_chart(
        [Series("Level", days, [by_day[day] for day in days])],
        f"Ratings of \u201c{goal.title}\u201d",
        "level, -2 to +2",
        height=150,
    )
