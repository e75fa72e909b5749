"""Rows of other systems: created and updated by external id, conflicts told, nothing overwritten silently."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.inbound import Condition, cancel_session, get, put
from coachops.coaching.directory.model import BODIES, KindName
from coachops.coaching.roster import import_roster
from coachops.core import ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.db import Database
from coachops.db.models import (
    AuditEvent,
    Client,
    Coach,
    CoachingSession,
    Engagement,
    InboundRow,
    Message,
)
from tests.coaching.builders import make_pair, make_transcript
from tests.support.patience import PATIENCE

CRM = Writer(Actor(ids.new_id(), "service", "CRM"), secret=b"digests")
CALENDAR = Writer(Actor(ids.new_id(), "service", "calendar"), secret=b"digests")
FORCED = Condition(overwrite=True)
ALWAYS = Condition()


def send(
    database: Database,
    kind: KindName,
    external_id: str,
    *,
    by: Writer = CRM,
    when: Condition = ALWAYS,
    **values: Any,
) -> Any:
    return put(database, by, external_id, BODIES[kind].model_validate(values), when)


def refused(code: str, database: Database, kind: KindName, ref: str, **values: Any) -> CoachError:
    with pytest.raises(CoachError) as caught:
        send(database, kind, ref, **values)
    assert caught.value.code == code, caught.value
    return caught.value


def add_people(database: Database) -> None:
    """One coach, one client and their engagement, as the CRM sends them."""
    send(database, "coach", "c1", name="Ada Reyes", email="Ada@Example.org")
    send(database, "client", "k1", name="Maya Okafor", email="maya@example.org")
    send(database, "engagement", "e1", coach="c1", client="k1", started_on="2026-09-01")


def test_rows_are_created_then_left_alone_then_updated(database: Database) -> None:
    add_people(database)
    first = send(database, "session", "s1", engagement="e1", held_on="2027-02-03", title=" Plan ")
    again = send(database, "session", "s1", engagement="e1", held_on="2027-02-03", title="Plan")
    other = send(database, "session", "s1", engagement="e1", held_on="2027-02-04")
    assert [each.status for each in (first, again, other)] == ["created", "unchanged", "updated"]
    assert first.row.version == again.row.version != other.row.version
    assert other.row.values | other.row.more == {
        "engagement": "e1", "held_on": dt.date(2027, 2, 4), "title": "Plan", "duration_ms": None,
        "coach": "c1", "client": "k1",
    }  # fmt: skip
    assert get(database, CRM, "session", "s1") == other.row
    assert get(database, CRM, "coach", "c1").values["email"] == "ada@example.org"
    with database.read() as session:
        acts = session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert acts == [
        "coach.created", "client.created", "engagement.created", "session.created", "session.updated",
    ]  # fmt: skip


def test_a_change_made_here_since_is_told_and_not_overwritten(database: Database) -> None:
    before = send(database, "client", "k1", name="Maya Okafor", email="maya@example.org")
    with database.write() as session:
        session.scalars(sa.select(Client)).one().name = "Maya O."
    same_email = send(database, "client", "k1", name="Maya O.", email="new@example.org")
    assert same_email.status == "updated"  # nobody changed the e-mail here
    with database.write() as session:
        session.scalars(sa.select(Client)).one().email = "by-hand@example.org"
    error = refused(
        "COACH-INB-001", database, "client", "k1", name="Maya O.", email="crm@example.org"
    )
    now = get(database, CRM, "client", "k1")
    assert error.details["fields"] == ["email"]
    assert error.details["version"] == now.version
    assert error.details["last_version"] == same_email.row.version != before.row.version
    assert now.values["email"] == "by-hand@example.org"
    for condition in (FORCED, Condition(if_match=frozenset({now.version}))):
        forced = send(
            database, "client", "k1", name="Maya O.", email="crm@example.org", when=condition
        )
        assert forced.row.values["email"] == "crm@example.org"
        with database.write() as session:
            session.scalars(sa.select(Client)).one().email = "by-hand@example.org"


def test_what_stood_there_before_is_a_conflict_until_it_is_taken_over(database: Database) -> None:
    roster = (
        "coach_external_id,coach_name,coach_email,client_external_id,client_name,"
        "engagement_external_id,started_on\nc1,Ada,ada@example.org,k1,Maya,e1,2026-09-01\n"
    )
    import_roster(database, SYSTEM, roster.encode())
    error = refused(
        "COACH-INB-001", database, "coach", "c1", name="Ada R.", email="ada@example.org"
    )
    assert (error.details["fields"], error.details["last_version"]) == (["name"], None)
    assert send(database, "coach", "c1", name="Ada", email="ada@example.org").status == "unchanged"
    assert send(database, "coach", "c1", name="Ada R.", email="ada@example.org").status == "updated"


def test_two_sources_do_not_overwrite_each_other(database: Database) -> None:
    send(database, "coach", "c1", name="Ada", email="ada@example.org")
    refused(
        "COACH-INB-001", database, "coach", "c1", by=CALENDAR, name="Eda", email="ada@example.org"
    )
    send(
        database, "coach", "c1", by=CALENDAR, when=FORCED, name="Eda", email="ada@example.org"
    )  # fmt: skip
    refused("COACH-INB-001", database, "coach", "c1", name="Ida", email="ada@example.org")
    assert get(database, CRM, "coach", "c1").values["name"] == "Eda"


def test_fields_that_are_left_out_stay_and_null_empties(database: Database) -> None:
    send(database, "client", "k1", name="Maya", email="maya@example.org", left_on="2027-01-01")
    kept = send(database, "client", "k1", name="Maya")
    assert (kept.status, kept.row.values["email"]) == ("unchanged", "maya@example.org")
    emptied = send(database, "client", "k1", name="Maya", email=None, left_on=None)
    assert emptied.row.values == {"name": "Maya", "email": None, "left_on": None}


def test_conditions_of_a_write_hold_or_nothing_is_written(database: Database) -> None:
    new = Condition(only_new=True)
    values = {"name": "Ada", "email": "ada@example.org"}
    with pytest.raises(CoachError, match="COACH-INB-002"):
        send(database, "coach", "c1", when=Condition(if_match=frozenset({"*"})), **values)
    version = send(database, "coach", "c1", when=new, **values).row.version
    for condition in (new, Condition(if_match=frozenset({"0" * 32}))):
        with pytest.raises(CoachError) as caught:
            send(database, "coach", "c1", when=condition, name="Eda", email="ada@example.org")
        assert (caught.value.code, caught.value.details["version"]) == ("COACH-INB-002", version)
    assert get(database, CRM, "coach", "c1").values["name"] == "Ada"
    with database.write() as session:
        session.scalars(sa.select(Coach)).one().name = "By hand"
    with pytest.raises(CoachError, match="COACH-INB-001"):  # "any version" has seen none
        send(database, "coach", "c1", when=Condition(if_match=frozenset({"*"})), **values)


def test_values_that_belong_to_others_or_cannot_be_are_refused(database: Database) -> None:
    add_people(database)
    send(database, "coach", "c2", name="Ben", email="ben@example.org")
    send(database, "client", "k2", name="Kim", email="kim@example.org")
    cases: tuple[tuple[str, KindName, str, dict[str, Any]], ...] = (
        ("COACH-INB-005", "coach", "c3", {"name": "Cy", "email": "BEN@example.org"}),
        ("COACH-INB-005", "coach", "c1", {"name": "Ada Reyes", "email": "ben@example.org"}),
        ("COACH-INB-005", "client", "k3", {"name": "Kim", "email": "KIM@example.org"}),
        ("COACH-INB-003", "engagement", "e2",
         {"coach": "nobody", "client": "k1", "started_on": "2026-09-01"}),
        ("COACH-INB-003", "engagement", "e2",
         {"coach": "c1", "client": "nobody", "started_on": "2026-09-01"}),
        ("COACH-INB-004", "engagement", "e2",
         {"coach": "c1", "client": "k1", "started_on": "2026-09-01", "ended_on": "2026-08-31"}),
        ("COACH-INB-005", "engagement", "e1",
         {"coach": "c1", "client": "k2", "started_on": "2026-09-01"}),
        ("COACH-INB-005", "engagement", "e1",
         {"coach": "c2", "client": "k1", "started_on": "2026-09-01"}),
        ("COACH-INB-003", "session", "s1", {"engagement": "nothing", "held_on": "2026-10-01"}),
        ("COACH-INB-004", "session", "s1", {"engagement": "e1", "held_on": "2026-08-31"}),
    )  # fmt: skip
    with database.read() as session:
        before = _counts(session)
    for code, kind, ref, values in cases:
        refused(code, database, kind, ref, **values)
    for kind, ref, values in (("engagement", "e1", {"coach": "c2", "client": "k1"}),):
        refused(
            "COACH-INB-005", database, kind, ref, when=FORCED, started_on="2026-09-01", **values
        )
    with database.read() as session:
        assert _counts(session) == before
    shared = send(database, "client", "k3", name="Kim", email="kim@example.org", when=FORCED)
    assert shared.status == "created"
    with database.write() as session:
        session.scalars(sa.select(Coach).where(Coach.external_id == "c2")).one().left_on = dt.date(
            2026, 9, 1
        )
    refused(
        "COACH-INB-004", database, "engagement", "e2", coach="c2", client="k1",
        started_on="2026-09-01",
    )  # fmt: skip


def _counts(session: Any) -> list[int]:
    return [
        session.scalar(sa.select(sa.func.count()).select_from(table))
        for table in (Coach, Client, Engagement, CoachingSession, InboundRow)
    ]


def test_the_same_row_sent_at_the_same_moment_is_one_row(database: Database) -> None:
    together = threading.Barrier(12)

    def one(number: int) -> str:
        together.wait(PATIENCE)
        return str(send(database, "client", "k1", name="Maya", email="maya@example.org").status)

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(one, range(12)))
    assert statuses == ["created", *["unchanged"] * 11]
    with database.read() as session:
        assert _counts(session) == [0, 1, 0, 0, 1]


def test_one_email_of_two_coaches_at_the_same_moment_is_one_coach(database: Database) -> None:
    together = threading.Barrier(8)

    def one(number: int) -> str:
        together.wait(PATIENCE)
        try:
            return str(
                send(database, "coach", f"c{number}", name="A", email="a@example.org").status
            )
        except CoachError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(one, range(8)))
    assert outcomes == [*["COACH-INB-005"] * 7, "created"]


def test_a_session_that_left_nothing_is_cancelled_and_one_with_words_is_kept(
    database: Database,
) -> None:
    add_people(database)
    send(database, "session", "s1", engagement="e1", held_on="2027-02-03")
    with pytest.raises(CoachError, match="COACH-INB-002"):
        cancel_session(database, CRM, "s1", Condition(if_match=frozenset({"0" * 32})))
    cancel_session(database, CRM, "s1")
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        cancel_session(database, CRM, "s1")
    pair = make_pair(database)
    make_transcript(database, pair)
    with database.write() as session:
        session.scalars(sa.select(CoachingSession)).one().external_id = "s2"
    with pytest.raises(CoachError) as caught:
        cancel_session(database, CRM, "s2", FORCED)
    assert (caught.value.code, caught.value.details["what"]) == ("COACH-INB-006", "transcript")


def test_a_session_that_was_moved_here_is_not_cancelled_silently(database: Database) -> None:
    add_people(database)
    send(database, "session", "s1", engagement="e1", held_on="2027-02-03")
    with database.write() as session:
        session.scalars(sa.select(CoachingSession)).one().held_on = dt.date(2027, 2, 10)
    with pytest.raises(CoachError) as caught:
        cancel_session(database, CRM, "s1")
    assert (caught.value.code, caught.value.details["fields"]) == ("COACH-INB-001", ["held_on"])
    cancel_session(database, CRM, "s1", FORCED)


def test_a_session_with_a_transcript_stays_in_its_engagement(database: Database) -> None:
    pair = make_pair(database)
    make_transcript(database, pair)
    with database.write() as session:
        engagement = session.get_one(Engagement, pair.engagement_id)
        session.add(
            Engagement(
                external_id="second", coach_id=pair.coach_id, client_id=pair.client_id,
                started_on=engagement.started_on,
            )
        )  # fmt: skip
        session.scalars(sa.select(CoachingSession)).one().external_id = "s1"
    refused(
        "COACH-INB-005", database, "session", "s1", when=FORCED, engagement="second",
        held_on="2026-11-02",
    )  # fmt: skip


def test_a_session_with_a_letter_never_goes_to_another_client(database: Database) -> None:
    """Letters belong to whom their session belongs: they would be exported to the other coach."""
    add_people(database)
    send(database, "coach", "c2", name="Ann Lee", email="ann@example.org")
    send(database, "client", "k2", name="Noor", email="noor@example.org")
    send(database, "engagement", "e2", coach="c2", client="k2", started_on="2026-09-01")
    send(database, "session", "s1", engagement="e1", held_on="2026-11-02")
    with database.write() as session:
        meeting = session.scalars(sa.select(CoachingSession)).one()
        session.add(
            Message(
                session_id=meeting.id, client_id=meeting.client_id, coach_id=meeting.coach_id,
                recipient_name="Maya", recipient_email="maya@example.org", subject="Our session",
                body="Dear Maya", engine_body="Dear Maya",
            )
        )  # fmt: skip
    error = refused(
        "COACH-INB-005", database, "session", "s1", when=FORCED, engagement="e2",
        held_on="2026-11-02",
    )  # fmt: skip
    assert error.details["fields"] == ["engagement"]
    assert (
        send(database, "session", "s1", engagement="e1", held_on="2026-11-03").status == "updated"
    )


def test_a_limited_source_keeps_to_its_coaches(database: Database) -> None:
    add_people(database)
    other = make_pair(database)
    with database.read() as session:
        mine = session.scalars(sa.select(Coach.id).where(Coach.external_id == "c1")).one()
        foreign = session.get_one(Coach, other.coach_id).external_id
        foreign_client = session.get_one(Client, other.client_id)
        foreign_engagement = session.get_one(Engagement, other.engagement_id).external_id
    limited = dataclasses.replace(CALENDAR, grant=Grant(coaches=frozenset({mine})))
    day = {"started_on": "2026-09-01"}
    cases: tuple[tuple[KindName, str, dict[str, Any]], ...] = (
        ("coach", foreign, {"name": "X", "email": "x@example.org"}),
        ("coach", "new", {"name": "X", "email": "x@example.org"}),
        ("client", foreign_client.external_id, {"name": "X"}),
        ("engagement", "new", {"coach": foreign, "client": "k1"} | day),
        ("engagement", "new", {"coach": "nobody", "client": "k1"} | day),
        ("engagement", "new", {"coach": "c1", "client": foreign_client.external_id} | day),
        ("engagement", "new", {"coach": "c1", "client": "nobody"} | day),
        ("engagement", foreign_engagement, {"coach": "c1", "client": "k1"} | day),
        ("session", "new", {"engagement": foreign_engagement, "held_on": "2026-10-01"}),
        ("session", "new", {"engagement": "nothing", "held_on": "2026-10-01"}),
    )
    for kind, ref, values in cases:
        refused("COACH-IDN-016", database, kind, ref, by=limited, **values)
    for kind, ref in (("coach", foreign), ("client", foreign_client.external_id), ("coach", "new")):
        with pytest.raises(CoachError, match="COACH-CCH-001"):
            get(database, limited, kind, ref)
    created = send(database, "client", "k9", by=limited, name="New")
    assert send(database, "client", "k9", by=limited, name="New").status == "unchanged"
    assert get(database, limited, "client", "k9") == created.row
    with pytest.raises(CoachError, match="COACH-CCH-001"):  # brought by another source
        get(database, dataclasses.replace(limited, actor=CRM.actor), "client", "k9")
    joined = send(database, "engagement", "e9", by=limited, coach="c1", client="k9", **day)
    assert joined.status == "created"
    assert get(database, limited, "client", "k9") == created.row


def test_limits_by_client_leave_other_clients_out(database: Database) -> None:
    add_people(database)
    with database.read() as session:
        mine = session.scalars(sa.select(Client.id)).one()
    limited = dataclasses.replace(CALENDAR, grant=Grant(clients=frozenset({mine})))
    refused("COACH-IDN-016", database, "client", "k2", by=limited, name="Kim")
    refused("COACH-IDN-016", database, "coach", "c1", by=limited, name="A", email="a@example.org")
    done = send(
        database, "engagement", "e2", by=limited, coach="c1", client="k1", started_on="2026-09-01"
    )
    assert done.status == "created"


def test_a_client_who_gets_another_coach_leaves_the_limits_of_the_first(database: Database) -> None:
    add_people(database)
    send(database, "coach", "c2", name="Ben", email="ben@example.org")
    with database.read() as session:
        by_name = {each.external_id: each.id for each in session.scalars(sa.select(Coach))}
    first, second = (
        dataclasses.replace(CALENDAR, grant=Grant(coaches=frozenset({by_name[name]})))
        for name in ("c1", "c2")
    )
    assert get(database, first, "client", "k1").external_id == "k1"
    today = database.today().isoformat()
    send(
        database, "engagement", "e1", coach="c1", client="k1", started_on="2026-09-01",
        ended_on=today,
    )  # fmt: skip
    assert get(database, first, "client", "k1").external_id == "k1"  # nobody else coaches her
    send(database, "engagement", "e2", coach="c2", client="k1", started_on=today)
    assert get(database, second, "client", "k1").external_id == "k1"
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        get(database, first, "client", "k1")


def test_roles_write_what_is_theirs(database: Database) -> None:
    pair = make_pair(database)
    other = make_pair(database)
    with database.read() as session:
        own, foreign = (
            session.get_one(Engagement, each.engagement_id).external_id for each in (pair, other)
        )
    coach = Writer(pair.actor, secret=b"digests")
    send(database, "session", "s1", by=coach, engagement=own, held_on="2026-12-24")
    refused(
        "COACH-CCH-001", database, "session", "s2", by=coach, engagement=foreign,
        held_on="2026-12-24",
    )  # fmt: skip
    refused("COACH-IDN-003", database, "client", "k1", by=coach, name="X")
    analyst = Writer(Actor(uuid.UUID(int=1), "analyst", "A"), secret=b"digests")
    refused(
        "COACH-IDN-003", database, "session", "s3", by=analyst, engagement=own,
        held_on="2026-12-24",
    )  # fmt: skip


def test_digests_say_nothing_without_the_secret(database: Database) -> None:
    add_people(database)
    with database.read() as session:
        rows = session.scalars(sa.select(InboundRow)).all()
        kept = str([row.digests for row in rows])
    assert len(rows) == 3
    assert "maya" not in kept.lower()
    assert all(len(set(row.digests.values())) == len(row.digests) for row in rows)
