"""Twelve writers who do everything at once, followers that read meanwhile, and the count of what is wrong.

Used by the tests (seconds) and by `python -m benchmarks.feed_stress` (a minute).
"""

from __future__ import annotations

import collections
import datetime as dt
import hashlib
import json
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database, Limits
from coachops.db.coached import move_day
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    FeedMeta,
    Goal,
    GoalRating,
    Insight,
    InsightEdit,
    Message,
    Transcript,
    Utterance,
)
from coachops.export import DATASETS, run_export
from coachops.export.feed import Seen, handoff
from coachops.export.feed.rows import canonical_rows
from tests.feed.replica import SECRET, Replica
from tests.support.patience import PATIENCE

WRITERS = 12
LEAST = 10
"""Transactions of each writer, however much of its time the machine stood still."""
LIMITS = Limits(pool=24, overflow=12, pool_wait=PATIENCE, wait=PATIENCE)
WATCHED = (
    "sessions", "transcripts", "utterances", "analyses", "insights", "action_items", "messages",
    "clients", "consents", "coaches", "engagements", "goals", "goal_ratings",
)  # fmt: skip


@dataclass
class Result:
    """What happened and what is wrong at the end."""

    committed: int = 0
    rolled_back: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    moves: int = 0
    pages: int = 0
    changes: int = 0
    handoffs: int = 0
    followers: int = 0
    rows: int = 0
    exported: int = 0
    scope_removals: int = 0
    wrong: dict[str, int] = field(default_factory=dict)


def run(database: Database, seconds: float, seed: int = 1) -> Result:  # noqa: C901 one story
    """Write for `seconds`, follow meanwhile, then catch up and compare."""
    result = Result()
    with database.connect() as connection:
        coaches = connection.scalars(sa.select(Coach.id).order_by(Coach.id)).all()
        clients = connection.scalars(sa.select(Client.id).order_by(Client.id)).all()
    scopes: list[dict[str, Any]] = [
        {}, {"coaches": frozenset(coaches[:1])}, {"coaches": frozenset(coaches[1:3])},
        {"clients": frozenset(clients[:2])},
        {"coaches": frozenset(coaches[:1]), "clients": frozenset(clients[:3])},
    ]  # fmt: skip
    followers = [Replica(database, Seen(DATASETS[n], **s)) for s in scopes for n in WATCHED]
    until = time.monotonic() + seconds
    lock = threading.Lock()
    writers = [
        threading.Thread(
            target=_write, args=(database, random.Random(seed + n), until, result, lock)
        )
        for n in range(WRITERS)
    ]
    failures: list[BaseException] = []
    stopping = threading.Event()

    def follow(mine: list[Replica]) -> None:
        rng = random.Random(seed)
        try:
            while not stopping.is_set():
                for each in rng.sample(mine, k=min(8, len(mine))):
                    each.read(rng.choice((3, 50, 400)))
                    with lock:
                        result.pages += 1
        except BaseException as error:
            failures.append(error)

    def copy() -> None:
        """Bulk exports of one moment, each continued by a follower of its own."""
        try:
            for number in range(6):
                if stopping.wait(seconds / 8) and number:
                    return
                more = _copied(database, scopes[number % len(scopes)])
                with lock:
                    followers.extend(more)
                    result.handoffs += 1
        except BaseException as error:
            failures.append(error)

    others = [
        threading.Thread(target=follow, args=(followers[0::2],)),
        threading.Thread(target=follow, args=(followers[1::2],)),
        threading.Thread(target=copy),
    ]
    for thread in (*writers, *others):
        thread.start()
    for thread in writers:
        thread.join()
    stopping.set()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
    for each in followers:
        each.catch_up(2000)
    _judge(database, followers, result)
    return result


def _judge(database: Database, followers: list[Replica], result: Result) -> None:
    """Count what is wrong: against the feed's own rows, and those of all against an export."""
    result.followers = len(followers)
    for each in followers:
        wrong, rows = compare(database, each)
        result.rows += rows
        result.changes += len(each.versions)
        result.scope_removals += each.reasons.count("scope")
        if wrong:
            name = f"{each.seen.dataset.name} {sorted(map(str, each.seen.coaches or ()))}"
            result.wrong[name] = result.wrong.get(name, 0) + wrong
    bundle = exported(database)
    for each in followers:
        if each.seen.coaches is None and each.seen.clients is None:
            name = each.seen.dataset.name
            if wrong := differing(bundle[name], each.rows):
                result.wrong[f"{name} against the export"] = wrong
            result.exported += len(bundle[name])


def exported(database: Database) -> dict[str, dict[str, Any]]:
    """The rows as a bulk export writes them: by other readers and writers than the feed's."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        run_export(database, SYSTEM, out, ["jsonl"], list(WATCHED))
        found: dict[str, dict[str, Any]] = {}
        for name in WATCHED:
            key, rows = DATASETS[name].key, found.setdefault(name, {})
            for path in sorted((out / "data").glob(f"{name}-*.jsonl")):
                for line in path.read_text("utf-8").split("\n")[:-1]:
                    row = json.loads(line)
                    rows[row[key]] = row
        return found


def compare(database: Database, replica: Replica) -> tuple[int, int]:
    """How many rows of a follower are missing, spare or of another content, and how many there are."""
    with database.connect() as connection:
        seen = replica.seen
        truth = {
            key: json.loads(line)
            for key, line in canonical_rows(connection, seen.dataset, seen.rows())
        }
    return differing(truth, replica.rows), len(truth)


def differing(truth: dict[str, Any], rows: dict[str, Any]) -> int:
    """How many rows are missing, spare or of another content."""
    return sum(truth.get(key) != rows.get(key) for key in truth.keys() | rows.keys())


def _copied(database: Database, scope: dict[str, Any]) -> list[Replica]:
    selections = [Seen(DATASETS[name], **scope) for name in WATCHED]
    copies = []
    with database.connect() as connection:
        given = handoff(connection, SECRET, selections)
        for seen in selections:
            replica = Replica(database, seen, given.cursors[seen.dataset.name])
            for key, line in canonical_rows(connection, seen.dataset, seen.rows()):
                replica.rows[key], replica.versions[key] = json.loads(line), given.pos
            copies.append(replica)
    return copies


class _UndoError(Exception):
    """Ends a transaction that a writer takes back."""


def _write(
    database: Database, rng: random.Random, until: float, result: Result, lock: threading.Lock
) -> None:
    sqlite = database.is_sqlite
    rounds = 0
    while time.monotonic() < until or rounds < LEAST:
        rounds += 1
        try:
            with database.connect(write=True) as connection:
                moved = 0
                for _ in range(rng.choice((1, 1, 2, 4))):
                    act = rng.choice(ACTS)
                    moved += act in MOVES
                    act(connection, rng)
                    if rng.random() < 0.1:  # slow ones are what other feeds lose changes by
                        time.sleep(rng.random() * (0.01 if sqlite else 0.3))
                if rng.random() < 0.1:
                    raise _UndoError  # noqa: TRY301 what this writer is for
        except _UndoError:
            with lock:
                result.rolled_back += 1
        except (exc.IntegrityError, exc.OperationalError, CoachError) as error:
            with lock:
                name = getattr(error, "code", None) if isinstance(error, CoachError) else None
                result.refused[name or type(error.orig).__name__] += 1  # type: ignore[attr-defined]  # of SQLAlchemy
        else:
            with lock:
                result.committed += 1
                result.moves += moved


def _one(c: Connection, rng: random.Random, column: Any, *where: Any) -> Any:
    """One of the rows, by a place chosen at random."""
    found = c.scalars(sa.select(column).where(*where).order_by(column).limit(40)).all()
    return rng.choice(found) if found else None


def _at() -> dt.datetime:
    return clock.now()


def add_session(c: Connection, rng: random.Random) -> None:
    engagement = _one(c, rng, Engagement.id)
    row = c.execute(sa.select(Engagement).where(Engagement.id == engagement)).first()
    if row is None:
        return
    session, transcript, analysis = ids.new_id(), ids.new_id(), ids.new_id()
    c.execute(
        sa.insert(CoachingSession).values(
            id=session,
            engagement_id=row.id,
            coach_id=row.coach_id,
            client_id=row.client_id,
            held_on=dt.date(2026, 11, 2),
            title="New",
            created_at=_at(),
            updated_at=_at(),
        )
    )
    sha = hashlib.sha256(session.bytes).hexdigest()
    c.execute(
        sa.insert(Transcript).values(
            id=transcript,
            session_id=session,
            client_id=row.client_id,
            kind="recording",
            source_name="new.vtt",
            format="vtt",
            encoding="utf-8",
            sha256=sha,
            size_bytes=1,
            original=b"x",
            cue_count=6,
            unparsed=[],
            role_state="certain",
            state="analysed",
            created_at=_at(),
            updated_at=_at(),
        )
    )
    c.execute(
        sa.insert(Utterance),
        [
            {
                "id": ids.new_id(),
                "transcript_id": transcript,
                "position": place,
                "speaker": "client",
                "text": f"Words {place}.",
            }
            for place in range(1, 7)
        ],
    )
    c.execute(
        sa.insert(Analysis).values(
            id=analysis,
            transcript_id=transcript,
            status="complete",
            engine="local",
            model="m",
            input_sha256=sha,
            dropped={},
            created_at=_at(),
        )
    )
    add_insight(c, rng, analysis, transcript)


def add_insight(
    c: Connection,
    rng: random.Random,
    analysis: uuid.UUID | None = None,
    transcript: uuid.UUID | None = None,
) -> None:
    if analysis is None:
        analysis = _one(c, rng, Analysis.id)
        transcript = c.scalar(sa.select(Analysis.transcript_id).where(Analysis.id == analysis))
    if analysis is not None and transcript is not None:
        c.execute(
            sa.insert(Insight).values(
                id=ids.new_id(),
                analysis_id=analysis,
                transcript_id=transcript,
                kind="theme",
                ordinal=0,
                anchor=f"{rng.randint(0, 2)}",
                text="A theme.",
                citations=[],
                created_at=_at(),
            )
        )


def edit_insight(c: Connection, rng: random.Random) -> None:
    insight = _one(c, rng, Insight.id)
    row = c.execute(
        sa.select(Insight.transcript_id, Insight.kind, Insight.anchor).where(Insight.id == insight)
    ).first()
    if row is None:
        return
    same = (
        InsightEdit.transcript_id == row.transcript_id,
        InsightEdit.kind == row.kind,
        InsightEdit.anchor == row.anchor,
    )
    known = c.scalar(sa.select(InsightEdit.id).where(*same))
    if known is None:
        c.execute(
            sa.insert(InsightEdit).values(
                id=ids.new_id(),
                transcript_id=row.transcript_id,
                kind=row.kind,
                anchor=row.anchor,
                text=f"Edited {rng.random()}",
                created_at=_at(),
                updated_at=_at(),
            )
        )
    elif rng.random() < 0.4:
        c.execute(sa.delete(InsightEdit).where(*same))
    else:
        c.execute(sa.update(InsightEdit).where(*same).values(text=f"Again {rng.random()}"))


def change_words(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Utterance)
        .where(Utterance.id == _one(c, rng, Utterance.id))
        .values(text=f"Other words {rng.random()}", is_cut=rng.random() < 0.3)
    )


def drop_words(c: Connection, rng: random.Random) -> None:
    c.execute(sa.delete(Utterance).where(Utterance.id == _one(c, rng, Utterance.id)))


def add_words(c: Connection, rng: random.Random) -> None:
    transcript = _one(c, rng, Transcript.id)
    if transcript is not None:
        c.execute(
            sa.insert(Utterance).values(
                id=ids.new_id(),
                transcript_id=transcript,
                position=rng.randint(100, 100_000),
                speaker="coach",
                text="More.",
            )
        )


def rename_file(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Transcript)
        .where(Transcript.id == _one(c, rng, Transcript.id))
        .values(source_name=f"{rng.random()}.vtt")
    )


def drop_transcript(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.3:
        c.execute(sa.delete(Transcript).where(Transcript.id == _one(c, rng, Transcript.id)))


def drop_analysis(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.3:
        c.execute(sa.delete(Analysis).where(Analysis.id == _one(c, rng, Analysis.id)))


def hold_back(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Insight)
        .where(Insight.id == _one(c, rng, Insight.id))
        .values(held_back=rng.random() < 0.5)
    )
    c.execute(
        sa.update(ActionItem)
        .where(ActionItem.id == _one(c, rng, ActionItem.id))
        .values(held_back=rng.random() < 0.5)
    )


def change_session(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(CoachingSession)
        .where(CoachingSession.id == _one(c, rng, CoachingSession.id))
        .values(title=f"Title {rng.random()}")
    )


def move_session(c: Connection, rng: random.Random) -> None:
    session = _one(c, rng, CoachingSession.id)
    values = {"coach_id": _one(c, rng, Coach.id)}
    if rng.random() < 0.3:
        values = {"client_id": _one(c, rng, Client.id)}
    c.execute(sa.update(CoachingSession).where(CoachingSession.id == session).values(**values))


def move_all_sessions(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.1:  # a coach leaves
        c.execute(
            sa.update(CoachingSession)
            .where(CoachingSession.coach_id == _one(c, rng, Coach.id))
            .values(coach_id=_one(c, rng, Coach.id))
        )


def move_transcript(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Transcript)
        .where(Transcript.id == _one(c, rng, Transcript.id))
        .values(session_id=_one(c, rng, CoachingSession.id))
    )


def move_engagement(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Engagement)
        .where(Engagement.id == _one(c, rng, Engagement.id))
        .values(coach_id=_one(c, rng, Coach.id))
    )


def end_engagement(c: Connection, rng: random.Random) -> None:
    """On a day that has passed, is passing or is to come; or not at all after all."""
    day = c.scalars(sa.select(FeedMeta.day)).one() + dt.timedelta(days=rng.randint(-2, 3))
    c.execute(
        sa.update(Engagement)
        .where(Engagement.id == _one(c, rng, Engagement.id))
        .values(
            ended_on=None if rng.random() < 0.3 else sa.case(
                (Engagement.started_on > day, Engagement.started_on), else_=day
            )
        )
    )  # fmt: skip


def hand_over(c: Connection, rng: random.Random) -> None:
    """A coach leaves: running engagements end and go on with another coach."""
    going, staying = _one(c, rng, Coach.id), _one(c, rng, Coach.id)
    day = c.scalars(sa.select(FeedMeta.day)).one() + dt.timedelta(days=rng.randint(-1, 2))
    running = (Engagement.coach_id == going, Engagement.ended_on.is_(None))
    for client in c.scalars(sa.select(Engagement.client_id).where(*running).limit(3)).all():
        pair_up(c, rng, staying, client)
    c.execute(
        sa.update(Engagement)
        .where(*running)
        .values(ended_on=sa.case((Engagement.started_on > day, Engagement.started_on), else_=day))
    )


def pass_a_day(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.3:
        move_day(c, c.scalars(sa.select(FeedMeta.day)).one() + dt.timedelta(days=1))


def pair_up(
    c: Connection,
    rng: random.Random,
    coach: uuid.UUID | None = None,
    client: uuid.UUID | None = None,
) -> None:
    """From a day that has passed, or one to come."""
    c.execute(
        sa.insert(Engagement).values(
            id=ids.new_id(),
            external_id=str(ids.new_id()),
            coach_id=coach or _one(c, rng, Coach.id),
            client_id=client or _one(c, rng, Client.id),
            title="",
            started_on=dt.date(2026 if rng.random() < 0.9 else 2027, 1, 1),
            created_at=_at(),
            updated_at=_at(),
        )
    )


def part(c: Connection, rng: random.Random) -> None:
    used = sa.select(CoachingSession.engagement_id)
    goals = sa.select(Goal.engagement_id)
    found = _one(c, rng, Engagement.id, Engagement.id.not_in(used), Engagement.id.not_in(goals))
    c.execute(sa.delete(Engagement).where(Engagement.id == found))


def rename_client(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Client)
        .where(Client.id == _one(c, rng, Client.id))
        .values(name=f"Name {rng.random()}")
    )


def consent(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.3:
        c.execute(sa.delete(Consent).where(Consent.id == _one(c, rng, Consent.id)))
    c.execute(
        sa.insert(Consent).values(
            id=ids.new_id(),
            client_id=_one(c, rng, Client.id),
            kind="processing",
            granted=True,
            recorded_at=_at(),
            note="",
            created_at=_at(),
        )
    )


def rate(c: Connection, rng: random.Random) -> None:
    if rng.random() < 0.3:
        c.execute(sa.delete(GoalRating).where(GoalRating.id == _one(c, rng, GoalRating.id)))
    goal = _one(c, rng, Goal.id)
    if goal is not None:
        c.execute(
            sa.insert(GoalRating).values(
                id=ids.new_id(),
                goal_id=goal,
                level=1,
                rated_by="coach",
                note="",
                rated_on=dt.date(2026, 11, 3),
                created_at=_at(),
            )
        )


def move_goal(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Goal)
        .where(Goal.id == _one(c, rng, Goal.id))
        .values(coach_id=_one(c, rng, Coach.id))
    )


def change_message(c: Connection, rng: random.Random) -> None:
    c.execute(
        sa.update(Message)
        .where(Message.id == _one(c, rng, Message.id))
        .values(subject=f"Subject {rng.random()}")
    )


Act = Callable[[Connection, random.Random], None]
MOVES: tuple[Act, ...] = (
    move_session, move_all_sessions, move_transcript, move_engagement, move_goal, pair_up, part,
    end_engagement, hand_over, pass_a_day,
)  # fmt: skip
PEOPLE: tuple[Act, ...] = (
    end_engagement, hand_over, pass_a_day, pair_up, part, move_engagement, consent,
)  # fmt: skip
"""What decides whose client somebody is."""
ACTS: tuple[Act, ...] = (
    *MOVES, add_session, add_insight, edit_insight, change_words, drop_words, add_words,
    rename_file, drop_transcript, drop_analysis, hold_back, change_session, rename_client, consent,
    rate, change_message,
)  # fmt: skip
