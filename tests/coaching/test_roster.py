"""The roster: rows are taken or rejected with line and reason, and repeating changes nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from coachops.coaching.roster import import_roster
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach, Consent, Engagement

HEADER = (
    "coach_external_id,coach_name,coach_email,client_external_id,client_name,client_email,"
    "engagement_external_id,engagement_title,started_on,consent_processing,consent_external_ai\n"
)
ROW = "c1,Ada Byrne,Ada@Example.org,k1,Kim Lee,kim@example.com,e1,Leading,2026-01-05,yes,no\n"


def _count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_row_creates_coach_client_engagement_and_consents(database: Database) -> None:
    result = import_roster(database, SYSTEM, (HEADER + ROW).encode())
    assert (result.coaches_created, result.clients_created, result.engagements_created) == (1, 1, 1)
    assert result.consents_recorded == 2
    with database.read() as session:
        assert session.scalars(sa.select(Coach.email)).one() == "ada@example.org"
        consents = {row.kind: row.granted for row in session.scalars(sa.select(Consent))}
    assert consents == {"processing": True, "external_ai": False}


def test_the_same_file_again_changes_nothing(database: Database) -> None:
    import_roster(database, SYSTEM, (HEADER + ROW).encode())
    again = import_roster(database, SYSTEM, (HEADER + ROW).encode())
    assert (again.unchanged, again.updated, again.coaches_created) == (1, 0, 0)
    assert _count(database, Consent) == 2


def test_a_changed_row_updates_what_it_names(database: Database) -> None:
    import_roster(database, SYSTEM, (HEADER + ROW).encode())
    changed = ROW.replace("Kim Lee", "Kim Park").replace("yes,no", "yes,yes")
    result = import_roster(database, SYSTEM, (HEADER + changed).encode())
    assert result.updated == 1
    with database.read() as session:
        assert session.scalars(sa.select(Client.name)).one() == "Kim Park"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW.replace("2026-01-05", "5 Jan"), "started_on"),
        (ROW.replace("Ada@Example.org", "not-an-address"), "coach_email: not an e-mail address"),
        (ROW.replace("Kim Lee", "  "), "client_name"),
        (ROW.replace("yes,no", "perhaps,no"), "consent_processing: write yes or no"),
        (ROW.replace("c1,Ada Byrne", "c2,Bo"), "belongs to coach 'c1'"),
        (
            ROW.replace("c1,Ada Byrne,Ada@Example.org", "c2,Bo,bo@example.org"),
            "joins another coach and client",
        ),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_imported(
    database: Database, row: str, reason: str
) -> None:
    good = ROW.replace("k1", "k2").replace("e1", "e2")
    result = import_roster(database, SYSTEM, (HEADER + ROW + row + good).encode())
    assert [rejected.line for rejected in result.rejected] == [3]
    assert reason in result.rejected[0].reason
    assert _count(database, Engagement) == 2
    assert _count(database, Coach) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "columns are missing"),
        (HEADER.encode() + bytes(range(32)) * 40, "binary"),
        (HEADER.encode() + b'"open quote\n', "line"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_whole(
    sqlite_database: Database, data: bytes, reason: str
) -> None:
    with pytest.raises(CoachError) as caught:
        import_roster(sqlite_database, SYSTEM, data)
    assert caught.value.code == "COACH-ROS-001"
    assert reason in caught.value.message


def test_semicolons_and_a_byte_order_mark_of_spreadsheets_are_read(
    sqlite_database: Database,
) -> None:
    text = (HEADER + ROW).replace(",", ";")
    assert import_roster(sqlite_database, SYSTEM, text.encode("utf-8-sig")).coaches_created == 1


def test_a_coach_may_not_import_a_roster(sqlite_database: Database) -> None:
    with pytest.raises(CoachError) as caught:
        import_roster(sqlite_database, Actor(None, "coach", "C"), (HEADER + ROW).encode())
    assert caught.value.code == "COACH-IDN-003"
