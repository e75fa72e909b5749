"""Taking transcripts in: same file once, people by any reference, nothing half-written."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.coaching import people
from coachops.coaching.importing import (
    ImportResult,
    import_notes,
    import_transcript,
    pending_transcripts,
)
from coachops.coaching.roster import import_roster
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent, Coach, CoachingSession, Transcript, Utterance
from tests.coaching.builders import make_pair
from tests.coaching.test_roster import HEADER, ROW

VTT = b"""WEBVTT

1
00:00:01.000 --> 00:00:03.000
<v Ada Byrne>How are you?</v>

2
00:00:03.000 --> 00:00:05.000
<v Kim Lee>Good, thank you.</v>
"""
SECOND = (
    ROW.replace("k1", "k2")
    .replace("e1", "e2")
    .replace("Kim Lee", "Lou Ray")
    .replace("kim@", "lou@")
)
DAY = dt.date(2026, 3, 2)


@pytest.fixture
def roster(database: Database) -> Database:
    other = ROW.replace("c1,Ada Byrne,Ada@", "c9,Bo Xu,bo@").replace("k1", "k9").replace("e1", "e9")
    import_roster(database, SYSTEM, (HEADER + ROW + SECOND + other).encode())
    return database


def _take(database: Database, data: bytes = VTT, **given: object) -> ImportResult:
    options: dict[str, object] = {"coach": "c1", "client": "k1", "held_on": DAY, **given}
    return import_transcript(database, SYSTEM, data, "a.vtt", **options)  # type: ignore[arg-type]


def test_a_file_becomes_utterances_and_stays_as_it_was(roster: Database) -> None:
    result = _take(roster)
    assert (result.cues, result.unparsed, result.duplicate, result.role_state) == (
        2, (), False, "certain",
    )  # fmt: skip
    with roster.read() as session:
        rows = session.execute(
            sa.select(Utterance.position, Utterance.speaker, Utterance.text).order_by(
                Utterance.position
            )
        ).all()
        original = session.scalars(sa.select(Transcript.original)).one()
        assert session.scalars(sa.select(AuditEvent.action)).all()[-1] == "transcript.imported"
    assert [tuple(row) for row in rows] == [
        (1, "coach", "How are you?"), (2, "client", "Good, thank you."),
    ]  # fmt: skip
    assert original == VTT


@pytest.mark.parametrize("coach", ["c1", "ada@example.org", "ADA@EXAMPLE.ORG", "id"])
def test_a_coach_is_found_by_any_reference(roster: Database, coach: str) -> None:
    if coach == "id":
        with roster.read() as session:
            coach = str(session.scalars(sa.select(Coach.id).where(Coach.external_id == "c1")).one())
    assert _take(roster, coach=coach).cues == 2


def test_the_same_file_twice_is_one_transcript(roster: Database) -> None:
    first, second = _take(roster), _take(roster)
    assert second.duplicate
    assert second.transcript_id == first.transcript_id


def test_the_same_file_for_another_client_is_new_with_a_warning(roster: Database) -> None:
    _take(roster)
    other = _take(roster, client="k2")
    assert not other.duplicate
    assert "another client" in other.warnings[0]


def test_the_same_file_from_many_threads_at_once_is_one_transcript(roster: Database) -> None:
    results: list[ImportResult] = []
    threads = [threading.Thread(target=lambda: results.append(_take(roster))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.transcript_id for result in results}) == 1
    assert sum(not result.duplicate for result in results) == 1
    with roster.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CoachingSession)) == 1


def test_broken_cues_are_reported_with_their_line(roster: Database) -> None:
    data = VTT + b"\n3\n00:00:09.000 --> 00:00:07.000\n<v Kim Lee>Late</v>\n"
    result = _take(roster, data)
    assert [(line.line, bool(line.reason)) for line in result.unparsed] == [(12, True)]


def test_speakers_nobody_knows_stop_the_analysis(roster: Database) -> None:
    result = _take(
        roster, VTT.replace(b"Ada Byrne", b"Speaker 1").replace(b"Kim Lee", b"Speaker 2")
    )
    assert result.role_state == "unclear"
    assert pending_transcripts(roster) == []


def test_notes_are_the_coachs_account(roster: Database) -> None:
    result = import_notes(
        roster, SYSTEM, "We spoke about the board.\nKim will write to Sam.",
        coach="c1", client="k1", held_on=DAY,
    )  # fmt: skip
    with roster.read() as session:
        transcript = session.get(Transcript, result.transcript_id)
        assert transcript is not None
        assert transcript.kind == "notes"
        assert set(session.scalars(sa.select(Utterance.speaker))) == {"coach"}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"coach": "nobody"}, "COACH-CCH-001"),
        ({"client": "nobody"}, "COACH-CCH-001"),
        ({"client": str(uuid.UUID(int=5))}, "COACH-CCH-001"),
        ({"client": "k9"}, "COACH-CCH-006"),
        ({"held_on": clock.today() + dt.timedelta(days=400)}, "COACH-CCH-005"),
        ({"data": b""}, "COACH-TRN-002"),
        ({"data": b"\x89PNG\r\n\x1a\n" + bytes(100)}, "COACH-TRN"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    roster: Database, given: dict[str, object], code: str
) -> None:
    with pytest.raises(CoachError) as caught:
        _take(roster, **given)  # type: ignore[arg-type]
    assert caught.value.code.startswith(code)
    with roster.read() as session:
        for table in (Transcript, Utterance, CoachingSession):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_a_coach_sees_and_changes_only_their_own_clients(roster: Database) -> None:
    with roster.read() as session:
        mine = people.find_coach(session, SYSTEM, "c9").id
    actor = Actor(None, "coach", "Bo", coach_id=mine)
    assert [row.external_id for row in people.list_clients(roster, actor)] == ["k9"]
    with pytest.raises(CoachError) as caught:
        import_transcript(roster, actor, VTT, "a.vtt", coach="c1", client="k1", held_on=DAY)
    assert caught.value.code == "COACH-CCH-001"
    analyst = Actor(None, "analyst", "An")
    assert len(people.list_clients(roster, analyst)) == 3
    with pytest.raises(CoachError) as caught:
        import_transcript(roster, analyst, VTT, "a.vtt", coach="c1", client="k1", held_on=DAY)
    assert caught.value.code == "COACH-IDN-003"


def test_lists_show_state_and_order(roster: Database) -> None:
    _take(roster)
    _take(roster, VTT + b"\n", held_on=DAY + dt.timedelta(days=7))
    rows = people.list_sessions(roster, SYSTEM)
    assert [row.held_on for row in rows] == [DAY + dt.timedelta(days=7), DAY]
    assert {row.transcript_state for row in rows} == {"imported"}
    clients = people.list_clients(roster, SYSTEM)
    assert (clients[0].external_id, clients[0].sessions) == ("k1", 2)


def test_every_cue_of_the_annotated_dialogues_is_imported(
    sqlite_database: Database, annomi: Path
) -> None:
    import_roster(sqlite_database, SYSTEM, (HEADER + ROW).encode())
    results = [
        import_transcript(
            sqlite_database,
            SYSTEM,
            file.read_bytes(),
            file.name,
            coach="c1",
            client="k1",
            held_on=DAY,
        )
        for file in sorted(annomi.glob("*.vtt"))
    ]
    assert len(results) == 66
    assert sum(result.cues for result in results) == 4598
    assert sum(len(result.unparsed) for result in results) == 0
    assert {result.role_state for result in results} == {"certain"}


def test_characters_that_were_taken_out_are_told(sqlite_database: Database) -> None:
    pair = make_pair(sqlite_database)
    result = import_transcript(
        sqlite_database, pair.actor, b"Ada Reyes: hel\x00lo\nMaya Okafor: yes\n", "a.txt",
        coach=str(pair.coach_id), client=str(pair.client_id),
    )  # fmt: skip
    assert [
        each
        for each in result.warnings
        if each.endswith("taken out (1); the file as uploaded is kept.")
    ]
