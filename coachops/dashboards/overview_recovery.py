"""Whether everything could be brought back: last good backup, last proof, what would be lost now."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from coachops.core.errors import CoachError
from coachops.dashboards.components import Element, Tone, card, html, join, status_pill
from coachops.dashboards.overview_jobs import code_link
from coachops.dashboards.overview_parts import ago, duration, moment

if TYPE_CHECKING:
    from coachops.backup import DrillResult, Problem, RecoveryStatus
    from coachops.bootstrap import Services

READ_EVERY: Final = dt.timedelta(seconds=60)
"""How long a reading serves: on a server it asks the place of the backups, too."""


class RecoveryCard:
    """The card "Backup and recovery"."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._zone = services.settings.zone
        self._read_at: dt.datetime | None = None
        self._body = Element()
        self.widget = card(
            "Backup and recovery",
            self._body,
            subtitle="What a disaster now would cost, and the last proof that all comes back",
        )

    def refresh(self, now: dt.datetime) -> None:
        """Read again where the last reading is a minute old; a failure is shown, not raised."""
        if self._read_at is not None and dt.timedelta() <= now - self._read_at < READ_EVERY:
            return
        self._read_at = now
        try:
            found = self._services.backups.status()
        except CoachError as error:
            self._body.set_content(_trouble(error))
            return
        self._body.set_content(self._all(found, now))

    def _all(self, found: RecoveryStatus, now: dt.datetime) -> Markup:
        return html(
            '<p class="rc-state">{}{}</p><dl class="co-dl">{}</dl>{}{}',
            status_pill(*_verdict(found)),
            html('<span class="ov-foot">Running now: {}</span>', found.running)
            if found.running
            else "",
            join(
                html("<div><dt>{}</dt><dd>{}</dd></div>", name, value)
                for name, value in self._facts(found, now)
            ),
            html('<ul class="rc-problems">{}</ul>', join(map(_problem, found.problems)))
            if found.problems
            else "",
            ""
            if any(problem.code == "COACH-BKP-017" for problem in found.problems)  # it says where
            else html(
                '<p class="ov-foot">Backups lie in <span class="ov-path">{}</span>.</p>',
                found.place,
            ),
        )

    def _facts(self, found: RecoveryStatus, now: dt.datetime) -> list[tuple[str, Markup | str]]:
        good, passed = found.last_good, found.last_passed
        limit = duration(found.rpo_target_seconds)
        if found.rpo_seconds is None:
            lost: Markup | str = html('<strong class="co-text-bad">Everything</strong>')
        else:
            tone: Tone = "bad" if found.rpo_seconds > found.rpo_target_seconds else "ok"
            lost = html(
                '<strong class="co-text-{}">{}</strong> of work (limit {})',
                tone, duration(found.rpo_seconds), limit,
            )  # fmt: skip
        return [
            ("A disaster now would lose", lost),
            (
                "Last good backup",
                f"{moment(good.made_at, self._zone)}, {_size(good.bytes)}" if good else "None yet",
            ),
            (
                "Last passed drill",
                f"{moment(passed.at, self._zone)}, {ago(passed.at, now)}" if passed else "None yet",
            ),
            ("All comes back in", _measured(passed) if passed else "Not measured yet"),
        ]


def _verdict(found: RecoveryStatus) -> tuple[str, Tone]:
    """The state in a word, and how pressing it is."""
    if found.last_good is None:
        return "Never backed up", "bad"
    if found.last_drill is not None and not found.last_drill.passed:
        return "Drill failed", "bad"
    if not found.ok:
        codes = {problem.code for problem in found.problems if problem.severity == "bad"}
        return ("Overdue" if codes <= {"COACH-BKP-014", "COACH-BKP-015"} else "Not assured"), "bad"
    if found.last_passed is None:
        return "Not proven yet", "warn"
    return ("Assured, with a warning", "warn") if found.problems else ("Assured", "ok")


def _measured(drill: DrillResult) -> str:
    return f"{duration(drill.rto_seconds)} for {_size(drill.bytes)}, as the drill measured"


def _problem(problem: Problem) -> Markup:
    return html(
        '<li class="ov-need ov-need-{}"><p>{}</p><p class="ov-need-next">{} {}</p></li>',
        problem.severity, problem.message, problem.next_step, code_link(problem.code),
    )  # fmt: skip


def _trouble(error: CoachError) -> Markup:
    return html(
        '<p class="rc-state">{}</p><p>{} {} {}</p>',
        status_pill("Not known", "bad"), error.message, error.next_step, code_link(error.code),
    )  # fmt: skip


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1_000:.0f} kB"
