"""Exports whose workers are killed with -9 at random moments, against the same plan undisturbed.

The plan is made before any worker starts. First this process writes it through from beginning to end;
then workers write it, and are killed at random moments until enough kills have met an export at work.
Both bundles must be equal, byte for byte, and until its end the killed one must not look complete.
"""

from __future__ import annotations

import collections
import contextlib
import json
import random
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.core.settings import Settings
from coachops.db.coached import keep_day
from coachops.db.models import Message, Transcript
from coachops.export.blocks import BLOCK_ROWS
from coachops.export.issued import Issued
from coachops.export.moments import mark_of
from coachops.export.parts import write_part
from coachops.export.plan import Plan
from coachops.export.planning import plan_within
from coachops.export.publishing import publish
from coachops.export.snapshot import hold_snapshot
from coachops.jobs import Jobs
from coachops.jobs.exports import SUITE
from tests.support.forks import ForkedWorkers
from tests.support.patience import PATIENCE

_ENDS = 3 * PATIENCE


@dataclass
class ExportKillFigures:
    """What came of it: `problems` should be empty. `most_parts`: of a dataset."""

    kills: int = 0
    exports: int = 0
    files: int = 0
    differing: int = 0
    most_parts: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of workers during {self.exports} exports: "
            f"{self.differing} of {self.files} files differ from an undisturbed run"
        )


class KilledExports:
    """An installation whose workers are killed while they export.

    Parameters:
        settings: of a database that holds enough to take some time.
        folder: for schedule, logs and undisturbed bundles.
        workers: how many work at the same time.
        wanted: what is exported.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        schedule: Path,
        *,
        workers: int,
        seed: int = 11,
        **wanted: object,
    ) -> None:
        self._settings, self._folder, self._schedule = settings, folder, schedule
        self._workers, self._wanted = workers, wanted
        self._random = random.Random(seed)

    def run(self, kills: int) -> ExportKillFigures:
        """Kill so many workers; returns what is left in the end."""
        figures = ExportKillFigures()
        services = open_services(self._settings)
        with contextlib.ExitStack() as stack:
            stack.callback(services.close)
            _nothing_else_to_do(services)
            jobs = stack.enter_context(Jobs(self._settings, services))
            workers = [
                stack.enter_context(
                    ForkedWorkers(self._settings, self._schedule, self._folder / f"worker-{n}.log")
                )
                for n in range(self._workers)
            ]
            while figures.kills < kills:
                export, plan = self._ask(jobs, services)
                parts = collections.Counter(part.dataset for part in plan.parts)
                figures.most_parts = max(figures.most_parts, *parts.values())
                whole = self._undisturbed(services, plan, figures.exports)
                jobs.exports.enqueue(export)
                if figures.exports == 0:
                    for worker in workers:
                        worker.start()
                self._kill(jobs, export, workers, figures, kills)
                figures.exports += 1
                self._judge(jobs, export, whole, figures)
                shutil.rmtree(whole)
        return figures

    def _ask(self, jobs: Jobs, services: Services) -> tuple[Issued, Plan]:
        """An export that is planned already, so that it can be made twice."""
        keep_day(services.database, patient=True)  # as who makes it does before planning
        export, _ = jobs.exports.start(SUITE, **self._wanted)
        spec = replace(export.request.spec(self._settings.time_zone), shard_rows=BLOCK_ROWS)
        with services.database.connect() as connection:
            plan = plan_within(connection, spec, export_id=str(export.id))
            moment = mark_of(connection)
        jobs.exports.registry.replan(export.id, plan, moment)
        recorded = jobs.exports.registry.plan(export.id)
        assert recorded is not None
        return export, recorded

    def _undisturbed(self, services: Services, plan: Plan, number: int) -> Path:
        folder, out = self._folder / f"work-{number}", self._folder / f"whole-{number}"
        (folder / "data").mkdir(parents=True)
        with hold_snapshot(services.database, plan) as token:
            results = [
                write_part(services.database, plan.spec, part, folder, token) for part in plan.parts
            ]
        publish(plan, results, folder, out, key=services.signing_key)
        return out

    def _kill(
        self,
        jobs: Jobs,
        export: Issued,
        workers: list[ForkedWorkers],
        figures: ExportKillFigures,
        kills: int,
    ) -> None:
        ends = time.monotonic() + _ENDS
        began = False
        while (found := jobs.exports.get(SUITE, str(export.id))).open:
            if time.monotonic() > ends:
                figures.problems.append(f"{export.key} is {found.state} after {_ENDS:.0f} s")
                return
            if (Path(export.place) / "manifest.json").exists() and found.parts_done < found.parts:
                figures.problems.append(f"{export.key} looked complete before it was")
            if not began and found.state == "queued":
                time.sleep(0.01)  # another process brings it about; it has no other signal
                continue
            began = True
            time.sleep(self._random.uniform(0, 0.4))  # the moment itself is what is random
            if figures.kills >= kills or self._random.random() < 0.1:
                continue
            if not jobs.exports.get(SUITE, str(export.id)).open:
                return
            victim = self._random.choice(workers)
            if victim.kill() == -9:
                figures.kills += 1
            victim.start()

    def _judge(self, jobs: Jobs, export: Issued, whole: Path, figures: ExportKillFigures) -> None:
        found = jobs.exports.get(SUITE, str(export.id))
        made = Path(export.place)
        if found.state != "ready":
            figures.problems.append(f"{export.key} is {found.state}: {found.error}")
            return
        deadline = time.monotonic() + PATIENCE
        while leftovers := list(made.parent.glob(f".{made.name}.*")):
            if time.monotonic() > deadline:
                figures.problems.append(f"left behind: {leftovers}")
                break
            time.sleep(0.05)
        expected, got = _files(whole), _files(made)
        figures.files += len(expected)
        for name in sorted(expected.keys() | got.keys()):
            if expected.get(name) != got.get(name):
                figures.differing += 1
                figures.problems.append(f"{export.key}: {name} differs")
        if expected.get("manifest.json") != got.get("manifest.json"):
            figures.problems.append(
                "in the manifest: "
                + ", ".join(_keys(expected["manifest.json"], got["manifest.json"]))
            )


def _nothing_else_to_do(services: Services) -> None:
    """Workers would analyse and send what the seed left over, and so change the data."""
    with services.database.connect(write=True) as connection:
        connection.execute(sa.update(Transcript).values(state="analysed"))
        connection.execute(sa.delete(Message).where(Message.state != "sent"))


def _keys(one: bytes, other: bytes) -> list[str]:
    """Which parts of two manifests differ, and how."""
    first, second = json.loads(one), json.loads(other)
    return [
        f"{key}: {str(first.get(key))[:200]} / {str(second.get(key))[:200]}"
        for key in first.keys() | second.keys()
        if first.get(key) != second.get(key)
    ]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
