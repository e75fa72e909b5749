"""What every page says on top while something is out of order: no changes possible, AI or worker away.

The state is asked for every few seconds while somebody looks, and the page changes without being
loaded again. While nothing can be saved, buttons that would save wait; what was typed stays where it
is, and can be saved afterwards. Words are for coaches; what an admin can do stands behind the code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.dashboards.components import Area, Page, Tone, every, hold_changes, notice

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.db import DatabaseState

LOOK_SECONDS: Final = 3.0
_SLOW: Final = 5
"""Of so many looks, one also asks for the worker and the AI services: they change slowly."""
_SETTLE: Final = dt.timedelta(seconds=40)
"""After writes went through again, how long a worker has to give a sign of life."""

HELD: Final = "Nothing can be saved at the moment. Wait a little: what you typed stays here."


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is out of order, in words for a coach."""

    tone: Tone
    title: str
    text: str
    next_step: str
    code: str = ""


READ_ONLY: Final = Condition(
    "warn",
    "You can read everything, but nothing can be saved at the moment",
    "Nothing that was saved is lost. What you type stays on this page.",
    "Leave the page open. This note goes away by itself when saving works again; then press the "
    "button.",
    "COACH-DB-007",
)
DOWN: Final = Condition(
    "bad",
    "The data cannot be reached at the moment",
    "Nothing that was saved is lost. What this page shows is from before, and what you type stays "
    "on it.",
    "Leave the page open. This note goes away by itself; if it stays for longer than some minutes, "
    "tell your admin.",
    "COACH-DB-001",
)
WORKER_AWAY: Final = Condition(
    "warn",
    "Nothing is being analysed or sent at the moment",
    "What you upload and approve is kept, and goes on by itself when background work runs again.",
    "Go on working. If this note stays, tell your admin.",
)
AI_RESTING: Final = Condition(
    "info",
    "The AI service does not answer at the moment",
    "New sessions are analysed by the simpler engine on our own computers, and once more by the AI "
    "service when it is back.",
    "Go on working: you need to do nothing.",
)
AI_REFUSED: Final = Condition(
    "info",
    "The AI service does not accept our requests",
    "New sessions are analysed by the simpler engine on our own computers. An admin has to mend this.",
    "Go on working. Tell your admin if this note stays.",
)


class Conditions:
    """The notes on top of one page.

    Parameters:
        page: gets them, above its heading.
        services: of the kernel.
    """

    def __init__(self, page: Page, services: Services) -> None:
        self._services = services
        self._looks = 0
        self._slow: tuple[Condition, ...] = ()
        self._unwritable_at: dt.datetime | None = None
        self.shown: tuple[Condition, ...] = ()
        self.area = Area(classes="co-conditions")
        self._classes = self.area.classes
        page.fill("conditions", [self.area, every(LOOK_SECONDS, self.look)])
        self.look()

    def look(self) -> None:
        """Ask how things are, and show what changed."""
        state = self._services.database.state()
        found = tuple(self._found(state))
        self._looks += 1
        hold_changes("" if state.writable else HELD)
        self.area.classes = self._classes + ("" if state.writable else " co-holding")
        if found != self.shown:
            self.shown = found
            self.area.show(*(notice(c.tone, c.title, c.text, c.next_step, c.code) for c in found))

    def _found(self, state: DatabaseState) -> Iterator[Condition]:
        if not state.writable:
            self._unwritable_at = clock.now()
            yield DOWN if state.mode == "down" else READ_ONLY
            return  # what else is away, is away because of this
        if self._looks % _SLOW == 0 or self._slow:
            try:
                self._slow = tuple(self._slowly())
            except CoachError:
                self._slow = ()  # the next look at the database tells
        yield from self._slow

    def _slowly(self) -> Iterator[Condition]:
        from coachops.ai.health import health  # noqa: PLC0415 after the page is shown
        from coachops.jobs.heartbeat import worker_status  # noqa: PLC0415 as above

        settled = self._unwritable_at is None or clock.now() - self._unwritable_at > _SETTLE
        if settled and not worker_status(self._services.database).running:
            yield WORKER_AWAY
        found = health(self._services.database, self._services.settings)
        if not found.ok:
            refused = all(each.state == "refused" for each in found.targets)
            yield AI_REFUSED if refused else AI_RESTING


def attach(page: object, services: Services) -> None:
    """Put the notes on top of a page; what is no page (an error card) has none."""
    if isinstance(page, Page):
        page.conditions = Conditions(page, services)
