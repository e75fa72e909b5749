"""A coach leaves: clients go on with a successor, what was held stays, nothing goes out in their name."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from coachops.cli.main import app
from coachops.coaching import people
from coachops.coaching.importing import import_transcript
from coachops.coaching.review import load_review
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    AuditEvent,
    Client,
    Coach,
    CoachingSession,
    Engagement,
    Message,
    User,
)
from coachops.export import DATASETS, run_export
from coachops.export.feed import Seen
from coachops.identity import Identity
from coachops.jobs.leaving import leave, settle
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.feed.replica import Replica


def ref(database: Database, pair: Pair) -> str:
    with database.read() as session:
        return session.get_one(Coach, pair.coach_id).external_id


def add_session(database: Database, pair: Pair, held_on: dt.date) -> None:
    with database.write() as session:
        session.add(
            CoachingSession(
                engagement_id=pair.engagement_id, coach_id=pair.coach_id,
                client_id=pair.client_id, held_on=held_on,
            )
        )  # fmt: skip


def add_letter(session: Session, pair: Pair, state: str) -> None:
    meeting = session.scalars(
        sa.select(CoachingSession.id).where(CoachingSession.client_id == pair.client_id)
    ).first()
    assert meeting is not None
    session.add(
        Message(
            id=ids.new_id(), session_id=meeting, client_id=pair.client_id, coach_id=pair.coach_id,
            recipient_name="M", recipient_email="m@example.org", subject="s", body="b",
            engine_body="b", state=state, approved_at=clock.now(), approved_version=1,
            sent_at=clock.now() if state == "sent" else None,
        )
    )  # fmt: skip


def meetings(database: Database) -> dict[dt.date, str]:
    """Day of each session -> name of its coach."""
    with database.read() as session:
        query = sa.select(CoachingSession.held_on, Coach.name).join(
            Coach, Coach.id == CoachingSession.coach_id
        )
        return {row.held_on: row.name for row in session.execute(query)}


def test_running_work_goes_to_the_successor_and_what_was_held_stays(database: Database) -> None:
    going, staying = make_pair(database), make_pair(database, coach_name="Ben Birk")
    second = make_pair(database, coach_of=going)
    today = database.today()
    held = make_transcript(database, going, held_on=today)
    for days in (-7, 0, 14):
        add_session(database, going, today + dt.timedelta(days=days, weeks=1 if days == 0 else 0))
    done = leave(database, SYSTEM, ref(database, going), ref(database, staying), today)
    assert sorted(each.sessions for each in done.engagements) == [0, 2]
    assert done.signed_out
    assert meetings(database) == {
        today: "Ada Reyes",  # it has a transcript: it took place
        today - dt.timedelta(days=7): "Ada Reyes",
        today + dt.timedelta(days=7): "Ben Birk",
        today + dt.timedelta(days=14): "Ben Birk",
    }
    with database.read() as session:
        rows = {row.external_id: row for row in session.scalars(sa.select(Engagement))}
    for each in done.engagements:
        old, new = rows[each.ended], rows[each.begun]
        assert (old.ended_on, new.started_on, new.ended_on) == (today, today, None)
        assert (new.coach_id, new.client_id, new.title) == (
            staying.coach_id, old.client_id, old.title,
        )  # fmt: skip
    # the successor sees the clients and what comes, not what was said to the other coach
    seen = {row.id for row in people.list_clients(database, staying.actor)}
    assert seen == {going.client_id, second.client_id, staying.client_id}
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        load_review(database, staying.actor, held)
    assert load_review(database, SYSTEM, held).coach_id == going.coach_id
    taken = import_transcript(
        database, staying.actor, b"Ben Birk: How was it?\nMaya Okafor: It went well.\n", "talk.txt",
        coach=str(staying.coach_id), client=str(going.client_id), held_on=today,
    )  # fmt: skip
    assert load_review(database, staying.actor, taken.transcript_id).coach_id == staying.coach_id


def test_feed_and_exports_follow_the_client_and_leave_what_was_held_with_the_coach(
    database: Database, tmp_path: Path
) -> None:
    going, staying = make_pair(database), make_pair(database)
    client, today = str(going.client_id), database.today()
    make_transcript(database, going, held_on=today - dt.timedelta(days=7))
    add_session(database, going, today + dt.timedelta(days=7))
    names = ("clients", "consents", "sessions", "utterances")
    old, new = (
        {
            name: Replica(database, Seen(DATASETS[name], coaches=frozenset({pair.coach_id})))
            for name in names
        }
        for pair in (going, staying)
    )

    def of_the_client(followers: dict[str, Replica]) -> list[int]:
        """Rows of each dataset about the client, in followers who are equal to their digests."""
        for each in followers.values():
            each.catch_up()
            assert each.wrong() == 0
        return [
            sum(row.get("client_id", client) == client for row in each.rows.values())
            for each in followers.values()
        ]

    before = of_the_client(old)
    assert (before[:3], of_the_client(new)) == ([1, 1, 2], [0, 0, 0, 0])
    leave(database, SYSTEM, ref(database, going), ref(database, staying), today)
    assert of_the_client(old) == [0, 0, 1, before[3]]
    assert of_the_client(new) == [1, 1, 1, 0]
    assert [old[name].reasons for name in names] == [["scope"], ["scope"], ["scope"], []]
    for pair, consents in ((going, 0), (staying, 2)):
        out = tmp_path / str(pair.coach_id)
        made = run_export(
            database, SYSTEM, out, ["json"], ["consents"], coaches=[str(pair.coach_id)]
        )
        assert made["datasets"][0]["rows"] == consents


def test_a_coach_who_left_cannot_sign_in_and_sends_no_letter(database: Database) -> None:
    going, staying = make_pair(database), make_pair(database)
    add_session(database, going, dt.date(2026, 5, 1))
    with database.write() as session:
        for state in ("draft", "approved", "failed", "sent", "sending"):
            add_letter(session, going, state)
    assert going.actor.user_id is not None
    identity = Identity(database, b"a secret of the tests", 12)
    secret, _ = identity.create_token(SYSTEM, going.actor.user_id, "own", ["transcripts:read"])
    done = leave(database, SYSTEM, ref(database, going), ref(database, staying), database.today())
    with pytest.raises(CoachError, match="COACH-IDN-012"):
        identity.actor_of_token(secret)
    with database.read() as session:
        states = session.execute(sa.select(Message.id, Message.state, Message.version)).all()
        acts = set(session.scalars(sa.select(AuditEvent.action)))
    assert sorted(row.state for row in states) == ["draft", "draft", "failed", "sending", "sent"]
    assert set(done.letters) == {row.id for row in states if row.state in {"draft", "failed"}}
    assert max(row.version for row in states) == 2  # the job of version 1 finds nothing to send
    assert {"coach.leaving", "user.disabled", "message.withdrawn"} <= acts


def test_a_day_to_come_moves_work_now_and_shuts_out_on_the_day(database: Database) -> None:
    going, staying = make_pair(database), make_pair(database)
    add_session(database, going, dt.date(2026, 5, 1))
    with database.write() as session:
        add_letter(session, going, "approved")
    day = database.today() + dt.timedelta(days=30)
    done = leave(database, SYSTEM, ref(database, going), ref(database, staying), day)
    assert (done.signed_out, done.letters) == (False, ())
    assert settle(database) == 0
    with clock.frozen(clock.now() + dt.timedelta(days=31)):
        assert settle(database) == 1
        assert settle(database) == 0
    with database.read() as session:
        assert session.scalars(sa.select(Message.state)).one() == "draft"
        assert session.get_one(User, going.actor.user_id).disabled_at is not None
        assert session.get_one(User, staying.actor.user_id).disabled_at is None


def test_leaving_twice_finds_only_what_came_since(database: Database) -> None:
    going, staying = make_pair(database), make_pair(database)
    names = (ref(database, going), ref(database, staying))
    day = database.today() + dt.timedelta(days=3)
    first = leave(database, SYSTEM, *names, day)
    assert leave(database, SYSTEM, *names, day).engagements == ()
    with database.write() as session:
        session.add(
            Engagement(
                external_id="late", coach_id=going.coach_id, client_id=going.client_id,
                started_on=day + dt.timedelta(days=30),
            )
        )  # fmt: skip
    (again,) = leave(database, SYSTEM, *names, day).engagements
    assert (again.ended, len(first.engagements)) == ("late", 1)
    assert leave(database, SYSTEM, *names, day).engagements == ()
    with database.read() as session:
        late = session.scalars(sa.select(Engagement).where(Engagement.external_id == "late")).one()
        assert late.ended_on == late.started_on


def test_impossible_hand_overs_change_nothing(database: Database) -> None:
    going, staying = make_pair(database), make_pair(database)
    one, two = ref(database, going), ref(database, staying)
    day = database.today()
    analyst = Actor(None, "analyst", "A")
    for actor, coach, to, code in (
        (SYSTEM, one, one, "COACH-CCH-008"),
        (SYSTEM, one, "nobody", "COACH-CCH-001"),
        (SYSTEM, "nobody", two, "COACH-CCH-001"),
        (analyst, one, two, "COACH-IDN-003"),
    ):
        with pytest.raises(CoachError, match=code):
            leave(database, actor, coach, to, day)
    with database.read() as session:
        assert set(session.scalars(sa.select(Coach.left_on))) == {None}
    leave(database, SYSTEM, one, two, day)
    for coach, to, on in ((one, two, day - dt.timedelta(days=1)), (two, one, day)):
        with pytest.raises(CoachError, match="COACH-CCH-008"):
            leave(database, SYSTEM, coach, to, on)


def test_the_command_tells_what_moved(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("COACHOPS_HOME", str(tmp_path))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_database.url)
    going, staying = make_pair(sqlite_database), make_pair(sqlite_database)
    with sqlite_database.write() as session:
        session.add(Client(external_id="unrelated", name="U"))
    names = (ref(sqlite_database, going), ref(sqlite_database, staying))
    command = ["coach", "leave", names[0], "--on", "2026-12-31", "--to", names[1]]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["coach"], document["successor"], len(document["engagements"])) == (*names, 1)
    text = CliRunner().invoke(app, command)
    assert f"{names[1]} takes over" in text.stdout
    wrong = CliRunner().invoke(app, [*command[:4], "soon", "--to", names[1]])
    assert isinstance(wrong.exception, CoachError)
    assert wrong.exception.code == "COACH-SYS-002"
