"""Background work as an admin sees it: how much waits, what failed, and starting or stopping it.

An analyst sees the same without buttons; the calls behind the buttons check the role themselves.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from markupsafe import Markup

from coachops.core.actor import Actor
from coachops.core.errors import CATALOGUE, CoachError
from coachops.dashboards.components import (
    Column,
    Element,
    Table,
    Tone,
    area,
    button,
    card,
    error_card,
    html,
    join,
    link,
    notice,
    status_pill,
    table,
)
from coachops.dashboards.components import (
    row as beside,
)
from coachops.dashboards.overview_parts import counted, moment
from coachops.jobs import JobRow, QueueHealth
from coachops.reporting import Report, list_reports

RECENT: Final = 300
"""Jobs looked at to count their states."""
SHOWN: Final = 12
STATES: Final[dict[str, tuple[str, Tone]]] = {
    "running": ("Running", "info"),
    "waiting": ("Waiting", "neutral"),
    "failed": ("Failed", "bad"),
    "done": ("Done", "ok"),
    "cancelled": ("Cancelled", "neutral"),
}
KINDS: Final = {
    "pipeline": "Analysis and draft",
    "send": "Sending of a follow-up",
    "report": "Report",
    "export": "Export",
    "backup": "Backup",
    "drill": "Restore drill",
    "integrity": "Integrity check",
    "retention": "Retention",
}
_WORK: Final = ("pipeline", "send", "report", "export")
_CARE: Final = ("backup", "drill", "integrity", "retention")
"""Done again and again: the newest run of each stands for all before it."""
_AROUND: Final = "COACH-JOB-002"
_ERRORS_PAGE: Final = "/guide/reference/errors/"


class Work(Protocol):
    """What the overview asks of background work; `jobs.Jobs` does it."""

    def list_jobs(
        self,
        *,
        state: str | None = None,
        kind: str | Sequence[str] | None = None,
        limit: int = 100,
    ) -> list[JobRow]:
        """Jobs, the newest first."""

    def health(self) -> QueueHealth:
        """Whether work moves."""

    def enqueue_pipeline(self, transcript_id: uuid.UUID) -> str:
        """Analyse a transcript, soon."""

    def enqueue_report(self, name: str, parameters: Mapping[str, object]) -> str:
        """Run a report, soon."""

    def retry(self, actor: Actor, ref: str) -> str:
        """Start failed or cancelled work again."""

    def cancel(self, actor: Actor, ref: str) -> JobRow:
        """Cancel work that waits or runs."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Background work at one moment.

    Attributes:
        counts: the newest jobs by state.
        listed: what fails, runs or waits, the most pressing first.
        more: how many of those are not listed.
        stuck: why work does not move, in words.
        problem: why it could not be read; then the rest is empty.
    """

    counts: dict[str, int]
    listed: list[JobRow]
    more: int = 0
    stuck: tuple[str, ...] = ()
    problem: CoachError | None = None


def load(work: Work) -> Queue:
    """The state of background work; an engine that is away is part of the answer."""
    try:
        rows = work.list_jobs(kind=_WORK, limit=RECENT)
        rows += work.list_jobs(kind=_CARE, limit=RECENT)
        failed = work.list_jobs(state="failed", limit=RECENT)
        active = [
            *work.list_jobs(state="running", limit=RECENT),
            *work.list_jobs(state="waiting", limit=RECENT),
        ]
        stuck = work.health().problems
    except CoachError as error:
        return Queue({}, [], problem=error)
    everything = {row.id: row for row in [*rows, *failed, *active]}
    newest = _newest_runs(everything.values())
    pressing = [row for row in newest if row.state == "failed"]
    pressing += [row for row in newest if row.state == "running"]
    pressing += [row for row in newest if row.state == "waiting"]
    counts = Counter(row.state for row in newest)
    return Queue(dict(counts), pressing[:SHOWN], max(0, len(pressing) - SHOWN), stuck)


def _newest_runs(rows: Iterable[JobRow]) -> list[JobRow]:
    """The last run of each piece of work: a failure that a later run made good is none."""
    last: dict[str, JobRow] = {}
    for row in sorted(rows, key=lambda row: row.created_at):
        last[row.kind if row.kind in _CARE else row.id.rpartition("/")[0]] = row
    return sorted(last.values(), key=lambda row: row.updated_at, reverse=True)


class JobsCard:
    """The card of background work.

    Parameters:
        work: what the buttons call.
        actor: an admin gets buttons.
        zone: of the organisation.
        changed: called after something was started or cancelled.
    """

    def __init__(
        self, work: Work, actor: Actor, zone: dt.tzinfo, changed: Callable[[], object]
    ) -> None:
        self._work, self._actor, self._zone, self._changed = work, actor, zone, changed
        self._facts = Element(classes="ov-maybe")
        self._news = area()
        columns = [
            Column("job", "Work", kind="html"),
            Column("state", "State", kind="pill", width="fit"),
            Column("at", "Since"),
            Column("attempts", "Begun", align="end", width="fit"),
            Column("error", "Why", kind="html"),
        ]
        if actor.role == "admin":
            columns.append(Column("act", "", kind="button", width="fit"))
        self.table: Table = table(
            columns,
            [],
            caption="Background work that failed, runs or waits",
            empty="Nothing failed, runs or waits.",
            on_action=self._act if actor.role == "admin" else None,
        )
        self._foot = Element(classes="ov-maybe")
        self._problem = Element(classes="ov-maybe")
        self._stuck = Element(classes="ov-maybe")
        starts = [button(f"Run '{one.title}' now", self._starter(one)) for one in list_reports()]
        self.widget = card(
            "Background work",
            [
                self._problem, self._stuck, self._facts, self._news, self.table, self._foot,
                *([beside(starts, align="start")] if actor.role == "admin" else []),
            ],
            subtitle="Analyses with their drafts, sendings, reports, exports, backups",
        )  # fmt: skip
        self._shown: CoachError | None = None

    def show(self, queue: Queue) -> None:
        """Replace what the card shows."""
        if queue.problem is None:
            self._problem.children = ()
        elif self._shown is None or self._shown.code != queue.problem.code:
            self._problem.children = (error_card(queue.problem),)
        self._shown = queue.problem
        said = join(
            html("<li>{}.</li>", sentence[0].upper() + sentence[1:]) for sentence in queue.stuck
        )
        self._stuck.set_content(
            html(
                '<div class="ov-need ov-need-bad"><p class="ov-need-title">Work does not move</p>'
                "<ul>{}</ul><p class=\"ov-need-next\">Next: see that a worker runs ('coachops serve' "
                "or 'coachops worker' starts one) and look into its log.</p></div>",
                said,
            )
            if queue.stuck
            else ""
        )
        self._facts.set_content(
            html(
                '<p class="ov-facts">{}</p>',
                join(
                    html(
                        "<span>{} <strong>{}</strong></span>",
                        status_pill(label, tone if queue.counts.get(state) else "neutral"),
                        f"{queue.counts.get(state, 0):,}",
                    )
                    for state, (label, tone) in STATES.items()
                ),
            )
            if queue.problem is None
            else ""
        )
        rows = [self._row(row) for row in queue.listed]
        if rows != self.table.rows:
            self.table.set_rows(rows)
        self._foot.set_content(
            html('<p class="ov-foot">{} more, not listed here.</p>', f"{queue.more:,}")
            if queue.more
            else ""
        )

    def _starter(self, report: Report) -> Callable[[], None]:
        """What the button of a report does."""

        def start() -> None:
            self._actor.require_role("admin", what="background work")
            self._work.enqueue_report(report.name, {})

        return lambda: self._run(
            start,
            f"'{report.title}' was put into the queue; it will stand under the reports below.",
        )

    def _row(self, row: JobRow) -> dict[str, object]:
        verb = "Try again" if row.state == "failed" else "Cancel"
        return {
            "job": html(
                '{}<br><span class="ov-path">{}</span>',
                KINDS.get(row.kind, row.kind),
                _short(row.id),
            ),
            "state": STATES[row.state],
            "at": f"{moment(row.updated_at, self._zone)}, begins {moment(row.due_at, self._zone)}"
            if row.due_at
            else moment(row.updated_at, self._zone),
            "attempts": counted(row.attempts, "time") if row.attempts else "",
            "error": _why(row) if row.error_code else "",
            "act": (verb, row.id),
        }

    def _act(self, _name: str, ref: str) -> None:
        row = next((row for row in self.table.rows if _ref(row) == ref), None)
        if row is None:
            return
        failed = row["state"] == STATES["failed"]
        if failed and not ref.startswith("send/"):
            self._run(
                lambda: self._work.retry(self._actor, ref), "It was put into the queue again."
            )
            return
        title, text, yes, done, call = (
            (
                "Send this follow-up after all?",
                "This approves it again in your name. It is still sent at most once.",
                "Approve and send",
                "It was put into the queue again.",
                lambda: self._work.retry(self._actor, ref),
            )
            if failed
            else (
                "Cancel this work?",
                "An approval to send is taken back. A step that has begun comes to its end.",
                "Cancel the work",
                "It was cancelled.",
                lambda: self._work.cancel(self._actor, ref),
            )
        )
        self._news.show(
            notice(
                "warn",
                title,
                text,
                actions=[
                    button(yes, lambda: self._run(call, done), "danger"),
                    button("Leave it", self._news.clear),
                ],
            )
        )

    def _run(self, call: Callable[[], object], done: str) -> None:
        try:
            call()
        except CoachError as error:
            self._news.show(error_card(error))
        else:
            self._news.show(notice("ok", done))
        self._changed()


def _ref(row: Mapping[str, object]) -> object:
    pair = row["act"]
    return pair[1] if isinstance(pair, tuple) else None


def _short(ref: str) -> str:
    """A job's id with the middle of long parts left out."""
    return "/".join(f"{p[:8]}…{p[-4:]}" if len(p) > 20 else p for p in ref.split("/"))


def _why(row: JobRow) -> Markup:
    """The code of a failed job, with what happened in words."""
    code = row.error_code or ""
    spec = CATALOGUE.get(code)
    said = (row.error or "").removeprefix(f"{code}: ")
    if said.startswith(_AROUND):  # of the job; what stopped it is told by its own code
        said = (plain(spec.happened) or plain(spec.next_step)) if spec else ""
    return html('{}<br><span class="ov-need-text">{}</span>', code_link(code), said)


def code_link(code: str) -> Markup:
    """A code as a link to what it means."""
    return link(code, f"{_ERRORS_PAGE}#{code.lower()}")


def plain(text: str) -> str:
    """A text of the catalogue without its gaps: `did not answer ({reason}).` -> `did not answer.`"""
    while "({" in text and "})" in text:
        start, end = text.index("({"), text.index("})") + 2
        text = text[:start].rstrip() + text[end:]
    return "" if "{" in text else text
