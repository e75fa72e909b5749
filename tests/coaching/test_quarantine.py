"""The quarantine: what was refused is kept, seen by whom it concerns, corrected and replayed."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching import quarantine
from coachops.coaching.analysis import analyse
from coachops.coaching.importing import ImportResult, import_transcript
from coachops.coaching.quarantine_replay import replay
from coachops.coaching.review import load_review
from coachops.coaching.roster import import_roster
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, QuarantineItem, Transcript, Utterance
from tests.coaching.builders import Pair, make_pair
from tests.coaching.test_roster import HEADER, ROW

DAY = dt.date(2026, 3, 2)
HEAD = b"WEBVTT\n\n"
GOOD = b"00:01.000 --> 00:02.000\n<v Ada Reyes>How are you?\n\n"
BAD = b"00:05.000 --> 00:03.000\n<v Maya Okafor>I will call Sam\nby Friday.\n\n"
LAST = b"00:06.000 --> 00:07.000\n<v Maya Okafor>Good.\n"
BROKEN = b"PK\x03\x04 this is no zip"


def take(database: Database, pair: Pair, data: bytes, name: str = "a.vtt") -> ImportResult:
    return import_transcript(
        database, pair.actor, data, name, coach=str(pair.coach_id), client=str(pair.client_id),
        held_on=DAY, source="page",
    )  # fmt: skip


def refused(database: Database, pair: Pair, data: bytes, name: str = "a.docx") -> uuid.UUID:
    with pytest.raises(CoachError) as caught:
        take(database, pair, data, name)
    return uuid.UUID(str(caught.value.details["quarantine_id"]))


def texts(database: Database, transcript_id: uuid.UUID) -> list[tuple[int, str, str]]:
    with database.read() as session:
        return [
            (row.position, row.speaker, row.text)
            for row in session.scalars(
                sa.select(Utterance)
                .where(Utterance.transcript_id == transcript_id)
                .order_by(Utterance.position)
            )
        ]


def code_of(act: object, *args: object, **named: object) -> str:
    with pytest.raises(CoachError) as caught:
        act(*args, **named)  # type: ignore[operator]
    return caught.value.code


def test_a_refused_file_is_kept_with_its_bytes_reason_and_people(database: Database) -> None:
    pair = make_pair(database)
    item = refused(database, pair, BROKEN, "C:\\my files\\a\u202e.docx")
    found = quarantine.get(database, pair.actor, item)
    assert found.content == BROKEN
    row = found.row
    assert (row.kind, row.state, row.source, row.code) == (
        "transcript", "waiting", "page", "COACH-TRN-007",
    )  # fmt: skip
    assert (row.name, row.coach_id, row.client_id, row.held_on) == (
        "a.docx", pair.coach_id, pair.client_id, DAY,
    )  # fmt: skip
    assert "damaged" in row.reason
    assert row.next_step


def test_the_same_refused_file_again_is_one_item(database: Database) -> None:
    pair = make_pair(database)
    found: list[uuid.UUID] = []
    threads = [
        threading.Thread(target=lambda: found.append(refused(database, pair, BROKEN)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    (row,) = quarantine.list_items(database, pair.actor)
    assert row.seen == 6


def test_a_bad_cue_waits_with_its_line_and_the_others_are_imported(database: Database) -> None:
    pair = make_pair(database)
    result = take(database, pair, HEAD + GOOD + BAD + LAST)
    assert result.cues == 2
    (line,) = result.unparsed
    (row,) = quarantine.list_items(database, pair.actor)
    assert (row.kind, row.line, row.transcript_id) == ("cue", 6, result.transcript_id)
    assert line.item == str(row.id)
    assert line.line == 6
    assert "end lies before the start" in row.reason
    content = quarantine.get(database, pair.actor, row.id).content
    assert content == BAD.strip()
    # the place is kept free
    assert [place for place, _, _ in texts(database, result.transcript_id)] == [1, 3]


def test_a_corrected_line_takes_its_place(database: Database) -> None:
    pair = make_pair(database)
    result = take(database, pair, HEAD + GOOD + BAD + LAST)
    (row,) = quarantine.list_items(database, pair.actor)
    done = replay(
        database, pair.actor, row.id,
        fix=b"00:03.000 --> 00:05.000\n<v Maya Okafor>I will call Sam by Friday.\n",
    )  # fmt: skip
    assert (done.cues, done.transcript_id) == (1, result.transcript_id)
    assert texts(database, result.transcript_id) == [
        (1, "coach", "How are you?"),
        (2, "client", "I will call Sam by Friday."),
        (3, "client", "Good."),
    ]
    with database.read() as session:
        transcript = session.get_one(Transcript, result.transcript_id)
        assert transcript.cue_count == 3
        assert transcript.unparsed == []
    assert quarantine.list_items(database, pair.actor) == []
    assert code_of(replay, database, pair.actor, row.id) == "COACH-QRN-001"


def test_a_person_of_whom_only_that_line_is_left_is_known_by_name(
    sqlite_database: Database,
) -> None:
    pair = make_pair(sqlite_database)
    result = take(sqlite_database, pair, HEAD + GOOD + BAD)
    (row,) = quarantine.list_items(sqlite_database, pair.actor)
    replay(sqlite_database, pair.actor, row.id, fix=BAD.replace(b"05.000 -->", b"02.000 -->"))
    assert texts(sqlite_database, result.transcript_id)[1][1] == "client"


def test_a_line_that_is_still_wrong_waits_on(database: Database) -> None:
    pair = make_pair(database)
    result = take(database, pair, HEAD + GOOD + BAD)
    (row,) = quarantine.list_items(database, pair.actor)
    for fix in (None, BAD, b"", b"\x00", b"00:03.000 --> 00:05.000\n", GOOD + LAST):
        assert code_of(replay, database, pair.actor, row.id, fix=fix) == "COACH-QRN-002"
    assert len(texts(database, result.transcript_id)) == 1
    assert quarantine.get(database, pair.actor, row.id).row.state == "waiting"


@pytest.mark.parametrize(
    ("name", "data", "fix"),
    [
        (
            "a.srt",
            b"1\n00:00:01,000 --> 00:00:02,000\nAda Reyes: one\n\n"
            b"2\n00:00:09,000 --> 00:00:03,000\nMaya Okafor: two\n\n"
            b"3\n00:00:04,000 --> 00:00:05,000\nAda Reyes: three\n",
            b"00:00:02,000 --> 00:00:03,000\nMaya Okafor: two",
        ),
        (
            "a.txt",
            b"[00:00:01] Ada Reyes: one\n[00:99:99] Maya Okafor: two\n[00:00:04] Ada Reyes: three\n"
            b"[00:00:05] Maya Okafor: four\n",
            b"[00:00:02] Maya Okafor: two",
        ),
        (
            "a.json",
            b'[{"speaker":"Ada Reyes","text":"one","start":1,"end":2},'
            b'{"speaker":"Maya Okafor","text":"two","start":9,"end":3},'
            b'{"speaker":"Ada Reyes","text":"three","start":4,"end":5}]',
            b'{"speaker":"Maya Okafor","text":"two","start":2,"end":3}',
        ),
    ],
)
def test_lines_of_every_format_can_be_corrected(
    sqlite_database: Database, name: str, data: bytes, fix: bytes
) -> None:
    pair = make_pair(sqlite_database)
    result = take(sqlite_database, pair, data, name)
    (row,) = quarantine.list_items(sqlite_database, pair.actor)
    assert row.line is not None
    replay(sqlite_database, pair.actor, row.id, fix=fix)
    found = [text for _, _, text in texts(sqlite_database, result.transcript_id)]
    assert found[:3] == ["one", "two", "three"]


def test_a_completed_transcript_makes_its_analysis_stale(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    result = take(database, pair, HEAD + GOOD + BAD + LAST)
    analyse(database, gateway, pair.actor, result.transcript_id)
    assert not load_review(database, pair.actor, result.transcript_id).stale
    (row,) = quarantine.list_items(database, pair.actor)
    done = replay(database, pair.actor, row.id, fix=BAD.replace(b"05.000 -->", b"02.000 -->"))
    assert done.stale
    assert load_review(database, pair.actor, result.transcript_id).stale
    analyse(database, gateway, pair.actor, result.transcript_id)
    review = load_review(database, pair.actor, result.transcript_id)
    assert not review.stale
    assert any("Sam" in action.text for action in review.actions)


def test_a_corrected_file_is_imported_and_linked(database: Database) -> None:
    pair = make_pair(database)
    item = refused(database, pair, BROKEN, "a.docx")
    assert code_of(replay, database, pair.actor, item) == "COACH-TRN-007"
    assert code_of(replay, database, pair.actor, item, fix=b"") == "COACH-TRN-002"
    assert len(quarantine.list_items(database, pair.actor)) == 1
    done = replay(database, pair.actor, item, fix=HEAD + GOOD + LAST, fix_name="a.vtt")
    assert done.cues == 2
    found = quarantine.get(database, pair.actor, item)
    assert (found.row.state, found.row.transcript_id) == ("replayed", done.transcript_id)
    assert found.content == BROKEN, "what came in is not what was imported: it is kept"
    with database.read() as session:
        assert session.get_one(Transcript, done.transcript_id).original == HEAD + GOOD + LAST


def test_a_file_that_a_new_version_reads_is_replayed_as_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(database)

    def broken(data: bytes, name: str) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("coachops.coaching.importing.read", broken)
        item = refused(database, pair, HEAD + GOOD + LAST, "a.vtt")
        assert quarantine.get(database, pair.actor, item).row.code == "COACH-TRN-013"
    done = replay(database, pair.actor, item)
    assert done.cues == 2
    assert done.needs_analysis
    assert quarantine.get(database, pair.actor, item).content is None


def test_importing_the_same_file_elsewhere_ends_its_item(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(sqlite_database)
    with monkeypatch.context() as patch:
        patch.setattr("coachops.coaching.importing.read", lambda data, name: 1 / 0)
        item = refused(sqlite_database, pair, HEAD + GOOD, "a.vtt")
    result = take(sqlite_database, pair, HEAD + GOOD, "b.vtt")
    row = quarantine.get(sqlite_database, pair.actor, item).row
    assert (row.state, row.transcript_id) == ("replayed", result.transcript_id)


def test_who_sees_and_who_may_act(database: Database) -> None:
    pair, other = make_pair(database), make_pair(database)
    item = refused(database, pair, BROKEN)
    analyst = Actor(None, "analyst", "An")
    assert quarantine.list_items(database, other.actor) == []
    assert code_of(quarantine.get, database, other.actor, item) == "COACH-CCH-001"
    assert code_of(quarantine.discard, database, other.actor, item) == "COACH-CCH-001"
    assert code_of(replay, database, other.actor, item) == "COACH-CCH-001"
    assert len(quarantine.list_items(database, analyst)) == 1
    assert code_of(quarantine.discard, database, analyst, item) == "COACH-IDN-003"
    assert len(quarantine.list_items(database, SYSTEM)) == 1
    stranger = Actor(None, "coach", "Nobody")
    assert quarantine.list_items(database, stranger) == []
    quarantine.discard(database, pair.actor, item)
    found = quarantine.get(database, pair.actor, item)
    assert (found.content, found.row.state) == (None, "discarded")
    assert code_of(quarantine.discard, database, pair.actor, item) == "COACH-QRN-001"


def test_files_for_people_one_may_not_bring_files_for_are_not_kept(database: Database) -> None:
    pair, other = make_pair(database), make_pair(database)
    with pytest.raises(CoachError) as caught:
        import_transcript(
            database, other.actor, BROKEN, "a.docx",
            coach=str(pair.coach_id), client=str(pair.client_id),
        )  # fmt: skip
    assert caught.value.code == "COACH-CCH-001"
    assert quarantine.count_waiting(database, SYSTEM) == 0


def test_too_many_files_of_one_coach_keep_their_reason_only(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "WAITING_LIMIT", 2)
    pair = make_pair(sqlite_database)
    items = [refused(sqlite_database, pair, BROKEN + bytes([65 + n])) for n in range(3)]
    kept = [quarantine.get(sqlite_database, pair.actor, item).content for item in items]
    assert [content is None for content in kept] == [False, False, True]
    assert [quarantine.is_whole(sqlite_database, item) for item in items] == [True, True, False]
    assert code_of(replay, sqlite_database, pair.actor, items[2]) == "COACH-QRN-003"
    assert replay(
        sqlite_database, pair.actor, items[2], fix=HEAD + GOOD, fix_name="a.vtt"
    ).transcript_id


def test_what_is_too_old_loses_its_bytes_and_says_so(database: Database) -> None:
    pair = make_pair(database)
    with clock.frozen(clock.now() - dt.timedelta(days=31)):
        old = refused(database, pair, BROKEN)
    new = refused(database, pair, BROKEN + b"x")
    assert quarantine.expire(database, 30) == 1
    assert quarantine.expire(database, 30) == 0
    found = quarantine.get(database, pair.actor, old)
    assert (found.row.state, found.content) == ("expired", None)
    assert quarantine.get(database, pair.actor, new).content is not None
    assert code_of(replay, database, pair.actor, old, fix=HEAD + GOOD) == "COACH-QRN-001"


def test_rejected_rows_wait_and_are_replayed_with_a_correction(database: Database) -> None:
    wrong = ROW.replace("Ada@Example.org", "no address")
    result = import_roster(database, SYSTEM, (HEADER + wrong).encode(), "people.csv", source="cli")
    (rejected,) = result.rejected
    (row,) = quarantine.list_items(database, SYSTEM)
    assert (row.kind, row.line, row.name, str(row.id)) == (
        "roster_row", 2, "people.csv", rejected.item,
    )  # fmt: skip
    pair = make_pair(database)
    assert quarantine.list_items(database, pair.actor) == []
    assert quarantine.list_items(database, Actor(None, "analyst", "An")) == []
    content = quarantine.get(database, SYSTEM, row.id).content or b""
    assert code_of(replay, database, SYSTEM, row.id) == "COACH-QRN-002"
    done = replay(database, SYSTEM, row.id, fix=content.replace(b"no address", b"ada@example.org"))
    assert (done.transcript_id, done.rejected) == (None, 0)
    with database.read() as session:
        assert session.scalar(sa.select(Client.name).where(Client.external_id == "k1")) == "Kim Lee"
    assert quarantine.list_items(database, SYSTEM) == []


def test_importing_the_corrected_roster_ends_the_rows_that_waited(
    sqlite_database: Database,
) -> None:
    wrong = ROW.replace("Ada@Example.org", "no address")
    import_roster(sqlite_database, SYSTEM, (HEADER + wrong).encode())
    import_roster(sqlite_database, SYSTEM, (HEADER + ROW).encode())
    assert quarantine.list_items(sqlite_database, SYSTEM) == []


def test_a_rejected_row_waits_even_where_another_row_of_its_engagement_was_taken(
    sqlite_database: Database,
) -> None:
    other = ROW.replace(",k1,Kim Lee,", ",k2,Lou Park,")
    (rejected,) = import_roster(sqlite_database, SYSTEM, (HEADER + ROW + other).encode()).rejected
    (waiting,) = quarantine.list_items(sqlite_database, SYSTEM)
    assert (str(waiting.id), waiting.line) == (rejected.item, 3)
    assert b"Lou Park" in (quarantine.get(sqlite_database, SYSTEM, waiting.id).content or b"")


def test_a_roster_refused_whole_is_kept_and_replayed(sqlite_database: Database) -> None:
    with pytest.raises(CoachError) as caught:
        import_roster(sqlite_database, SYSTEM, b"a,b\n1,2\n", "people.csv")
    item = uuid.UUID(str(caught.value.details["quarantine_id"]))
    assert code_of(replay, sqlite_database, SYSTEM, item) == "COACH-ROS-001"
    replay(sqlite_database, SYSTEM, item, fix=(HEADER + ROW).encode())
    assert quarantine.get(sqlite_database, SYSTEM, item).row.state == "replayed"


def test_a_row_with_more_cells_than_the_head_is_rejected_not_shortened(
    sqlite_database: Database,
) -> None:
    result = import_roster(sqlite_database, SYSTEM, (HEADER + ROW.strip() + ",extra\n").encode())
    assert len(result.rejected) == 1
    assert "more cells" in result.rejected[0].reason


def test_erasing_a_transcript_erases_its_lines(sqlite_database: Database) -> None:
    pair = make_pair(sqlite_database)
    take(sqlite_database, pair, HEAD + GOOD + BAD)
    with sqlite_database.write() as session:
        session.execute(sa.delete(Transcript))
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count(QuarantineItem.id))) == 0
