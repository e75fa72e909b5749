"""Whether the suite itself is well: workers, freshness of the data, reports and exports made."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from coachops.dashboards.components import (
    Column,
    Element,
    Table,
    Tone,
    card,
    html,
    join,
    status_pill,
    table,
)
from coachops.dashboards.overview_parts import ago, clock_time, counted, duration, moment
from coachops.db.models import AuditEvent, WorkerHeartbeat
from coachops.jobs.heartbeat import ALIVE_FOR
from coachops.reporting import list_reports, list_runs

if TYPE_CHECKING:
    from coachops.core.settings import Settings
    from coachops.db import Database

RECENT: Final = 5
_LARGEST_MANIFEST: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Worker:
    """A process for background work.

    Attributes:
        state: `running`, `stopped` (as asked) or `missing` (silent though nobody stopped it).
    """

    name: str
    state: str
    started_at: dt.datetime
    seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Made:
    """A report or an export.

    Attributes:
        where: its path, relative to the home folder where it lies there.
        text: what it holds, in words.
    """

    kind: str
    at: dt.datetime
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class System:
    """The state of the suite at one moment."""

    workers: list[Worker]
    made: list[Made]


def load(database: Database, settings: Settings, now: dt.datetime) -> System:
    """Workers by name, and the newest reports and exports."""
    with database.read() as session:
        beats = session.scalars(sa.select(WorkerHeartbeat).order_by(WorkerHeartbeat.name)).all()
        exports = session.execute(
            sa.select(AuditEvent.at, AuditEvent.subject_id, AuditEvent.details)
            .where(AuditEvent.action == "export.made")
            .order_by(AuditEvent.at.desc())
            .limit(RECENT)
        ).all()
        workers = [Worker(b.name, _state(b, now), b.started_at, b.seen_at) for b in beats]
    places = _export_folders(settings.home)
    made = [
        Made("Export", at, places.get(export_id, ""), _rows(details))
        for at, export_id, details in exports
    ]
    made += _reports(settings)
    return System(workers, sorted(made, key=lambda one: one.at, reverse=True)[: 2 * RECENT])


def _state(beat: WorkerHeartbeat, now: dt.datetime) -> str:
    if beat.stopped:
        return "stopped"
    return "running" if now - beat.seen_at <= ALIVE_FOR else "missing"


def _rows(details: Any) -> str:
    rows = details.get("rows") if isinstance(details, dict) else None
    return f"as files, {counted(rows, 'row')}" if isinstance(rows, int) else "as files"


def _export_folders(home: Path) -> dict[str, str]:
    """Exports under the home folder by their id; those made elsewhere are known to their maker."""
    found = {}
    for manifest in sorted((home / "exports").glob("*/manifest.json")):
        try:
            if manifest.stat().st_size > _LARGEST_MANIFEST:
                continue
            document = json.loads(manifest.read_bytes())
        except (OSError, ValueError):
            continue  # being written, or not one of ours
        if isinstance(document, dict) and isinstance(document.get("export_id"), str):
            found[document["export_id"]] = str(manifest.parent.relative_to(home))
    return found


def _reports(settings: Settings) -> list[Made]:
    runs = [(report, run) for report in list_reports() for run in list_runs(settings, report.name)]
    runs.sort(key=lambda pair: pair[1].started_at, reverse=True)
    return [
        Made(
            report.title,
            run.started_at,
            str(run.html_path.relative_to(settings.home)),
            f"report, one page, made in {duration(run.seconds)}",
        )
        for report, run in runs[:RECENT]
    ]


_WORKERS: Final[dict[str, tuple[str, Tone]]] = {
    "running": ("Running", "ok"),
    "stopped": ("Stopped", "neutral"),
    "missing": ("Not answering", "bad"),
}


class SystemCards:
    """The card of processes and the card of what was made."""

    def __init__(self, home: Path, zone: dt.tzinfo) -> None:
        self._home, self._zone = home, zone
        self._workers: Table = table(
            [
                Column("name", "Worker"),
                Column("state", "State", kind="pill", width="fit"),
                Column("seen", "Last seen", align="end"),
            ],
            [],
            caption="Workers",
            empty="No worker has run yet. 'coachops serve' starts one.",
        )
        self._facts = Element()
        self.processes = card(
            "Workers and data",
            [self._workers, self._facts],
            subtitle="Workers analyse transcripts, send follow-ups and run reports",
        )
        self._made: Table = table(
            [
                Column("kind", "What", kind="html"),
                Column("at", "When"),
                Column("where", "Where", kind="html"),
            ],
            [],
            caption="Newest reports and exports",
            empty="Nothing was made yet. 'coachops report run weekly_operations' and 'coachops "
            "export run' make the first.",
        )
        self._made_foot = Element(classes="ov-maybe")
        self.products = card(
            "Reports and exports", [self._made, self._made_foot], subtitle="The newest first"
        )

    def show(self, system: System, now: dt.datetime, newest: dt.datetime | None) -> None:
        """Replace what both cards show."""
        _set(self._workers, [self._worker(worker, now) for worker in system.workers])
        self._facts.set_content(
            html(
                '<p class="ov-foot">Newest transcript: {}.</p>',
                moment(newest, self._zone) if newest else "none yet",
            )
        )
        _set(self._made, [self._product(one) for one in system.made])
        self._made_foot.set_content(
            html(
                '<p class="ov-foot">Paths are below <span class="ov-path">{}</span>.</p>',
                self._home,
            )
            if system.made
            else ""
        )

    def _worker(self, worker: Worker, now: dt.datetime) -> dict[str, object]:
        # a running one needs no seconds: a number that jumps all the time only distracts
        seen = "just now" if worker.state == "running" else ago(worker.seen_at, now)
        return {"name": worker.name, "state": _WORKERS[worker.state], "seen": seen}

    def _product(self, one: Made) -> dict[str, object]:
        return {
            "kind": html('{}<br><span class="ov-bar-note">{}</span>', one.kind, one.text),
            "at": moment(one.at, self._zone),
            "where": html('<span class="ov-path">{}</span>', one.where)
            if one.where
            else html("{}", "where its maker chose"),
        }


class Freshness:
    """The line below the heading: when it was read, and whether work is being done."""

    def __init__(self) -> None:
        self.widget = Element(classes="ov-fresh")

    def show(self, at: dt.datetime, zone: dt.tzinfo, span: str, system: System) -> None:
        """All is well with the reading."""
        running = sum(worker.state == "running" for worker in system.workers)
        missing = sum(worker.state == "missing" for worker in system.workers)
        if missing:
            worker = status_pill(f"{counted(missing, 'worker')} not answering", "bad")
        elif running:
            worker = status_pill(f"{counted(running, 'worker')} running", "ok")
        else:
            worker = status_pill("No worker running", "warn")
        self._write([status_pill("Live", "ok"), f"Updated {clock_time(at, zone)}", worker, span])

    def failed(self, at: dt.datetime | None, zone: dt.tzinfo) -> None:
        """The last reading failed; what stands on the page is older."""
        since = f"The figures are those of {clock_time(at, zone)}" if at else "No figures yet"
        self._write([status_pill("Not updating", "bad"), since])

    def _write(self, parts: list[object]) -> None:
        self.widget.set_content(
            join(html('<span class="ov-fresh-part">{}</span>', part) for part in parts if part)
        )


def _set(shown: Table, rows: list[dict[str, object]]) -> None:
    """Replace rows only where they differ: what a person points at stays."""
    if rows != shown.rows:
        shown.set_rows(rows)
