"""The pipeline of transcripts under kill -9: what was lost, doubled, or paid for twice.

Workers of an installation are killed at random moments, while transcripts come in all the time; at
the end one worker finishes. A paid call counts as finished once its reply is kept or its analysis
stands; a kill in the middle of a call may cost that one call again.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.models import ActionItem, AiReply, Analysis, Message, Transcript, Utterance
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.support.ai_server import AiServer, Json, transcript_lines
from tests.support.forks import ForkedWorkers
from tests.support.patience import PATIENCE, until

UNFINISHED = 6
"""So many transcripts wait or are at work before each kill."""
EARLY = 0.15
"""Share of the kills that come at any time after the start, also before work has begun."""
LATENCY = 0.04
"""Seconds that the AI service takes for an answer."""


@dataclass
class KillFigures:
    """What came of it: everything but `kills` and `transcripts` should be 0."""

    kills: int = 0
    transcripts: int = 0
    calls: int = 0
    lost: int = 0
    doubled: int = 0
    repeated: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of {self.transcripts} transcripts' pipeline: {self.lost} lost, "
            f"{self.doubled} doubled, {self.repeated} finished AI calls repeated ({self.calls} made)"
        )


class KilledPipeline:
    """An installation whose workers are killed.

    Parameters:
        settings: with the address of `server`.
        folder: for schedule and logs.
        workers: how many work at the same time.
        seed: of the moments.
    """

    def __init__(
        self,
        settings: Settings,
        server: AiServer,
        folder: Path,
        *,
        workers: int = 1,
        seed: int = 37,
    ) -> None:
        self._settings, self._server, self._folder = settings, server, folder
        self._workers = workers
        self._random = random.Random(seed)
        self._database = Database(settings.database_url)
        self._marks: dict[uuid.UUID, str] = {}
        self._finished: dict[str, int] = {}
        server.change = _slowly

    def run(self, kills: int) -> KillFigures:
        """Kill so many workers; returns what is left in the end."""
        schedule = self._folder / "nothing.toml"
        schedule.write_text(
            "".join(f'[[work]]\nkind = "{kind}"\ncron = "never"\n' for kind in _CARE)
        )
        coach = make_pair(self._database, consents=("processing", "external_ai"))
        figures = KillFigures()
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(
                    ForkedWorkers(self._settings, schedule, self._folder / f"worker-{n}.log")
                )
                for n in range(self._workers)
            ]
            for worker in workers:
                worker.start()
            for _ in range(kills):
                self._top_up(coach)
                self._wait_for_a_moment()
                victim = self._random.choice(workers)
                if victim.kill() == -9:
                    figures.kills += 1
                self._note_finished_calls()
                victim.start()
            self._wait_for_the_end()
        self._judge(figures)
        self._database.close()
        return figures

    def _wait_for_a_moment(self) -> None:
        """Mostly soon after work has begun, whatever the machine's speed; sometimes before it has."""
        if self._random.random() < EARLY:
            time.sleep(self._random.uniform(0, 1.0))
            return
        calls = len(self._server.requests)
        ends = time.monotonic() + 30  # there may be nothing left to ask for
        while len(self._server.requests) == calls and time.monotonic() < ends:
            time.sleep(0.01)  # another process brings it about; it has no other signal
        time.sleep(self._random.uniform(0, 0.8))  # the moment itself is what is random

    def _top_up(self, coach: Pair) -> None:
        with self._database.read() as session:
            open_ones = session.scalar(
                sa.select(sa.func.count())
                .select_from(Transcript)
                .where(Transcript.state.in_(("imported", "analysing")))
            )
        for _ in range(UNFINISHED - (open_ones or 0)):
            mark = f"mark{len(self._marks):04}"
            # a client of its own: commitments of one session are not carried into another
            pair = make_pair(
                self._database,
                consents=("processing", "external_ai"),
                coach_of=coach,
            )
            lines = (
                ("coach", f"What about {mark}?"),
                ("client", f"I want to talk about {mark} because it takes all of my week."),
                ("client", f"I will write a list for {mark} by Friday."),
                ("coach", f"I will send you an article on {mark} tomorrow."),
            )
            self._marks[make_transcript(self._database, pair, lines)] = mark

    def _calls(self) -> Counter[str]:
        return Counter(_mark_of(body) for body in list(self._server.requests))

    def _note_finished_calls(self) -> None:
        """Calls whose outcome stood in the database at the moment of a kill, and how many there were."""
        with self._database.read() as session:
            done = set(
                session.scalars(
                    sa.select(AiReply.transcript_id).union(
                        sa.select(Analysis.transcript_id).where(Analysis.status == "complete")
                    )
                )
            )
        calls = self._calls()
        for transcript_id in done:
            mark = self._marks[transcript_id]
            self._finished.setdefault(mark, calls[mark])

    def _wait_for_the_end(self) -> None:
        def drafted() -> bool:
            with self._database.read() as session:
                found = session.scalar(sa.select(sa.func.count(sa.distinct(Message.transcript_id))))
            return found == len(self._marks)

        with contextlib.suppress(AssertionError):  # what is missing then, the figures tell
            until(drafted, seconds=2 * PATIENCE)

    def _judge(self, figures: KillFigures) -> None:
        figures.transcripts = len(self._marks)
        calls = self._calls()
        figures.calls = calls.total()
        for mark, before in self._finished.items():
            if calls[mark] > before:
                figures.repeated += calls[mark] - before
                asked = {
                    json.dumps(transcript_lines(body))
                    for body in self._server.requests
                    if _mark_of(body) == mark
                }
                figures.problems.append(
                    f"{mark}: called {calls[mark]} times, {before} before its outcome was kept; "
                    f"{len(asked)} different questions"
                )
        with self._database.read() as session:
            for transcript_id, mark in self._marks.items():
                state = session.scalar(
                    sa.select(Transcript.state).where(Transcript.id == transcript_id)
                )
                found = {
                    "analyses": _count(
                        session, Analysis, transcript_id, Analysis.status == "complete"
                    ),
                    "drafts": _count(session, Message, transcript_id),
                    "actions": _count(session, ActionItem, transcript_id),
                    "utterances": _count(session, Utterance, transcript_id),
                }
                wanted = {"analyses": 1, "drafts": 1, "actions": 2, "utterances": 4}
                if state != "analysed" or any(found[name] < wanted[name] for name in wanted):
                    figures.lost += 1
                    figures.problems.append(f"{mark}: {state} {found}")
                if any(found[name] > wanted[name] for name in wanted):
                    figures.doubled += 1
                    figures.problems.append(f"{mark}: {found}")


_CARE = ("backup", "drill", "integrity")


def _slowly(_request: Json, answer: Json) -> Json:
    time.sleep(LATENCY)  # the service thinks, so that kills meet calls in the middle
    return answer


def _mark_of(body: Json) -> str:
    return str(transcript_lines(body)[0]["t"]).split()[2].rstrip("?")


def _count(
    session: Session,
    table: type[Analysis] | type[Message] | type[ActionItem] | type[Utterance],
    transcript_id: uuid.UUID,
    *also: sa.ColumnElement[bool],
) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return session.scalar(query.where(table.transcript_id == transcript_id, *also)) or 0
