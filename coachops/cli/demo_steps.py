"""The steps of the demo, each with its seconds and what it made; all of them safe to repeat."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from coachops.bootstrap import Services, prepare, services
from coachops.cli.transcript import SUFFIXES
from coachops.coaching import messages, people
from coachops.coaching.importing import (
    ImportResult,
    import_notes,
    import_transcript,
    pending_transcripts,
)
from coachops.coaching.roster import import_roster
from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings, mask_password
from coachops.db import Database, migrate
from coachops.db.models import Coach, CoachingSession, Message, User
from coachops.export import require_intact, run_export, verify_export
from coachops.jobs import JobRow, Jobs

if TYPE_CHECKING:
    from rich.progress import Progress

COACHES, CLIENTS, SESSIONS, UTTERANCES = 12, 60, 900, 40
ADMIN = "admin@example.org"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was done: what it made, and where."""

    name: str
    made: str
    where: str
    seconds: float


@dataclass(slots=True)
class DemoResult:
    """Everything the demo made.

    Attributes:
        notes: what a person should look at.
        next_command: starts the suite on this data.
        sign_in: names with one-time links.
    """

    home: Path
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next_command: str = ""
    sign_in: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


def run_demo(samples: Path, folder: Path | None, bars: Progress) -> DemoResult:
    """Run every step on the installation that the settings name.

    Raises:
        CoachError: of the step that could not be done; earlier steps stay as they are.
    """
    began = clock.monotonic()
    # made-up words go to no service and no mail server, whatever the environment says
    settings = load_settings(openai_api_key="", smtp_url="")
    _refuse_a_real_database(settings)
    result = DemoResult(home=settings.home)
    run = _Run(result, bars)
    with run.step("database") as done:
        _, revision = prepare(settings)
        done(f"schema {revision}", mask_password(settings.database_url))
    (settings.home / MARKER).write_text(mask_password(settings.database_url))
    opened = services(settings)
    try:
        _organisation(opened, run)
        imported = _transcripts(opened, run, samples, folder)
        _analyse(opened, run, imported)
        _follow_up(opened, run, imported)
        _export(opened, run)
        _report(opened, run)
        _guide(opened, run)
        _people_who_sign_in(opened, result, samples)
    finally:
        opened.close()
    prefix = f"COACHOPS_HOME={os.path.relpath(settings.home)} "
    result.next_command = (
        f"{prefix}{os.path.relpath(Path(sys.executable).parent / 'coachops')} serve"
    )
    result.seconds = clock.monotonic() - began
    return result


MARKER = ".demo"
"""The file in the home folder that names the database which the demo made."""


def _refuse_a_real_database(settings: Settings) -> None:
    """Never mix made-up people into an organisation's own data.

    Raises:
        CoachError: COACH-SYS-008 where the database is in use and not the demo's own.
    """
    place = mask_password(settings.database_url)
    marker = settings.home / MARKER
    if marker.is_file() and marker.read_text() == place:
        return
    database = Database.of(settings)
    try:
        empty = migrate.current(database) is None
    finally:
        database.close()
    if not empty:
        raise CoachError("COACH-SYS-008", place=place)


class _Run:
    """Times the steps and shows their progress."""

    def __init__(self, result: DemoResult, bars: Progress) -> None:
        self.result = result
        self._bars = bars

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str, object], None]]:
        """Times the block; the block says what was made and where."""
        began = clock.monotonic()
        task = self._bars.add_task(name.capitalize(), total=1)
        made: list[tuple[str, str]] = []
        yield lambda text, where: made.append((text, _short(where)))
        self._bars.update(task, completed=1)
        text, where = made[-1] if made else ("", "")
        self.result.steps.append(Step(name, text, where, clock.monotonic() - began))

    def bar(self, name: str, total: int) -> Callable[[int], None]:
        """A progress bar of its own, moved by the number of things done so far."""
        task = self._bars.add_task(f"  {name}", total=total)
        return lambda done: self._bars.update(task, completed=done)


def _short(where: object) -> str:
    if not isinstance(where, Path):
        return str(where)
    relative = os.path.relpath(where)
    return relative if len(relative) < len(str(where)) else str(where)


def _organisation(opened: Services, run: _Run) -> None:
    with run.step("organisation") as done:
        try:
            made = seed_organisation(
                opened.database,
                coaches=COACHES,
                clients=CLIENTS,
                sessions=SESSIONS,
                utterances_per_session=UTTERANCES,
                seed=1,
                progress=run.bar("sessions", SESSIONS),
            )
            done(
                f"{COACHES} coaches, {CLIENTS} clients, {made.rows['sessions']} sessions",
                "18 months",
            )
        except CoachError as error:
            if error.code != "COACH-CCH-007":
                raise
            done("already there", "18 months")


def _transcripts(
    opened: Services, run: _Run, samples: Path, folder: Path | None
) -> list[ImportResult]:
    with run.step("transcripts") as done:
        import_roster(opened.database, SYSTEM, (samples / "roster.csv").read_bytes())
        rows = list(csv.DictReader((samples / "manifest.csv").read_text("utf-8-sig").splitlines()))
        files = [(samples / row["file"], row) for row in rows]
        if folder is not None:
            own = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
            today = {**rows[0], "session_date": clock.today().isoformat(), "kind": "recording"}
            files += [(path, today) for path in own]
        imported = []
        move = run.bar("files", len(files))
        for number, (path, row) in enumerate(files, start=1):
            try:
                imported.append(_import(opened, path, row))
            except CoachError as error:
                if path.parent == samples:
                    raise
                run.result.notes.append(f"{path.name}: {error}")
            move(number)
        cues = sum(one.cues for one in imported)
        lost = sum(len(one.unparsed) for one in imported)
        done(f"{len(imported)} files, {cues} utterances, {lost} lines reported", samples)
        for one in imported:
            if one.unparsed:
                lines = ", ".join(str(line.line) for line in one.unparsed)
                run.result.notes.append(f"{one.source_name}: lines {lines} could not be imported.")
        return imported


def _import(opened: Services, path: Path, row: dict[str, str]) -> ImportResult:
    coach, client = row["coach_external_id"], row["client_external_id"]
    held_on = dt.date.fromisoformat(row["session_date"])
    if row["kind"] == "notes":
        return import_notes(
            opened.database, SYSTEM, path.read_text(), coach=coach, client=client, held_on=held_on
        )
    return import_transcript(
        opened.database, SYSTEM, path.read_bytes(), path.name,
        coach=coach, client=client, held_on=held_on,
    )  # fmt: skip


def _analyse(opened: Services, run: _Run, imported: list[ImportResult]) -> None:
    """The same durable workflow that an upload starts: analysis, then a draft."""
    with run.step("analysis") as done:
        waiting = set(pending_transcripts(opened.database))
        todo = [one.transcript_id for one in imported if one.transcript_id in waiting]
        move = run.bar("transcripts", len(todo))
        with Jobs(opened.settings, opened) as jobs:
            queued = [jobs.enqueue_pipeline(transcript_id) for transcript_id in todo]
            _require_done(jobs.run_inline(queued, progress=lambda ended, _: move(ended)))
        unclear = [one.source_name for one in imported if one.role_state == "unclear"]
        done(
            f"{len(todo)} analysed and drafted, engine {opened.gateway.resolve('auto')}", "database"
        )
        for name in unclear:
            run.result.notes.append(
                f"{name}: who is coach and who client is not certain; it waits in the workspace."
            )


def _follow_up(opened: Services, run: _Run, imported: list[ImportResult]) -> None:
    """Approve as the coach would, then send through the queue."""
    with run.step("follow-ups") as done:
        ids = [one.transcript_id for one in imported]
        with opened.database.read() as session:
            drafts = session.execute(
                sa.select(Message.id, Message.version, Message.coach_id, Coach.name)
                .join(Coach, Coach.id == Message.coach_id)
                .where(Message.transcript_id.in_(ids), Message.state == "draft")
                .join(CoachingSession, CoachingSession.id == Message.session_id)
                .order_by(CoachingSession.held_on, Message.id)
            ).all()
        first_coach = drafts[0].coach_id if drafts else None
        newest = [row.id for row in drafts if row.coach_id == first_coach][-1:]
        approved: list[uuid.UUID] = []
        for message_id, version, coach_id, name in drafts:
            if message_id in newest:  # stays for the visitor to approve
                continue
            coach = Actor(None, "coach", name, coach_id=coach_id)
            messages.approve(opened.database, coach, message_id, version)
            approved.append(message_id)
        move = run.bar("messages", len(approved))
        with Jobs(opened.settings, opened) as jobs:
            queued = [jobs.enqueue_send(message_id) for message_id in approved]
            _require_done(jobs.run_inline(queued, progress=lambda ended, _: move(ended)))
        left = len(drafts) - len(approved)
        done(f"{len(approved)} sent, {left} left to approve", opened.settings.outbox)


def _require_done(rows: list[JobRow]) -> None:
    """Stop at the first job that did not end well."""
    for row in rows:
        if row.state != "done":
            raise CoachError("COACH-JOB-002", name=row.id, reason=row.error_code or row.state)


def _export(opened: Services, run: _Run) -> None:
    with run.step("export and verify") as done:
        out = opened.settings.home / "exports" / clock.now().strftime("%Y%m%dT%H%M%SZ")
        manifest = run_export(
            opened.database,
            SYSTEM,
            out,
            ["csv", "json", "parquet"],
            zone=opened.settings.zone,
            key=opened.signing_key,
        )
        checks = verify_export(out)
        require_intact(out, checks)
        done(f"{len(manifest['files'])} files, {len(checks)} checks passed", out)


def _report(opened: Services, run: _Run) -> None:
    from coachops.reporting import run_report  # noqa: PLC0415 imports papermill

    with run.step("weekly report") as done:
        report = run_report(opened.settings, "weekly_operations", {})
        done("notebook and self-contained HTML", report.html_path)


def _guide(opened: Services, run: _Run) -> None:
    """Build the guide, where the sources are at hand."""
    with run.step("guide") as done:
        if not Path("mkdocs.yml").is_file():
            done("not built: no sources here", "")
            return
        mkdocs = shutil.which("mkdocs", path=str(Path(sys.executable).parent))
        if mkdocs is None:
            raise CoachError("COACH-SYS-004", path="mkdocs")
        built = subprocess.run(  # noqa: S603 our own tool with fixed arguments
            [mkdocs, "build", "--strict", "--quiet"],
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if built.returncode:
            raise CoachError("COACH-SYS-003", reason=built.stderr.strip().splitlines()[-1])
        pages = sum(1 for _ in opened.settings.guide.rglob("index.html"))
        done(f"{pages} pages", opened.settings.guide.resolve() / "index.html")


def _people_who_sign_in(opened: Services, result: DemoResult, samples: Path) -> None:
    """An admin, and the coach of the first sample, each with a one-time link."""
    identity = opened.identity
    first = next(csv.DictReader((samples / "manifest.csv").read_text("utf-8-sig").splitlines()))
    with opened.database.read() as session:
        coach = people.find_coach(session, SYSTEM, first["coach_external_id"])
        coach_id, name, email = coach.id, coach.name, coach.email
        known = set(session.scalars(sa.select(User.email)))
    if ADMIN not in known:
        identity.add_user(SYSTEM, ADMIN, "Demo admin", "admin")
    if email not in known:
        identity.add_user(SYSTEM, email, name, "coach", coach_id=coach_id)
    for shown, ref in (("an admin", ADMIN), (f"the coach {name}", email)):
        link = f"{opened.settings.public_url}/link/{identity.invite_link(SYSTEM, ref)}"
        result.sign_in.append((shown, link))
