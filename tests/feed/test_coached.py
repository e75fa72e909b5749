"""Whose client somebody is: feed, digest, export and writes of others agree, whatever ends an engagement."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops import frames
from coachops.bootstrap import prepare
from coachops.coaching.directory.covering import Writer, covers
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.grants import Grant
from coachops.core.settings import load_settings
from coachops.db import Database, change_feed
from coachops.db.coached import keep_day, move_day
from coachops.db.models import ChangeLog, Client, Consent, Engagement, FeedMeta
from coachops.export import DATASETS, restore_export, run_export
from coachops.export.datasets.people import NOT_SHARED
from coachops.export.feed import Seen
from coachops.export.verifying.source import verify_source
from coachops.jobs.leaving import leave
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.export.test_export import bad, read_csv, read_json
from tests.feed.replica import Replica
from tests.jobs.test_leaving import add_letter
from tests.support.patience import PATIENCE, until

DAY = dt.timedelta(days=1)


class House:
    """Two coaches, a client of the first, and a follower of each coach and dataset."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.first, self.second = make_pair(database), make_pair(database, coach_name="Ben Birk")
        self.followers = {
            (pair.coach_id, name): Replica(
                database, Seen(DATASETS[name], coaches=frozenset({pair.coach_id}))
            )
            for pair in (self.first, self.second)
            for name in ("clients", "consents")
        }

    def leave(self, on: dt.date) -> None:
        leave(self.database, SYSTEM, str(self.first.coach_id), str(self.second.coach_id), on)

    def engage(self, pair: Pair, starts: dt.date, ends: dt.date | None = None) -> uuid.UUID:
        """The client of the first coach gets this pair's coach, too."""
        with self.database.write() as session:
            row = Engagement(
                external_id=f"more-{starts}", coach_id=pair.coach_id,
                client_id=self.first.client_id, started_on=starts, ended_on=ends,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def end(self, engagement_id: uuid.UUID, on: dt.date | None) -> None:
        with self.database.write() as session:
            session.get_one(Engagement, engagement_id).ended_on = on

    def who(self) -> str:
        """Names the coaches who see the client and the consent: everywhere, or this fails."""
        client, today = self.first.client_id, self.database.today()
        seen = ""
        for name, pair in (("first", self.first), ("second", self.second)):
            found = [self.followers[pair.coach_id, table] for table in ("clients", "consents")]
            for each in found:
                each.catch_up()
                assert each.wrong() == 0
            told = str(client) in found[0].rows
            assert told == any(row["client_id"] == str(client) for row in found[1].rows.values())
            writer = Writer(
                Actor(None, "service", "CRM"), Grant(coaches=frozenset({pair.coach_id}))
            )
            with self.database.read() as session:
                row = session.get_one(Client, client)
                assert covers(session, writer, row, today) == told
            seen += f" {name}" if told else ""
        return seen.strip()


@pytest.fixture
def house(database: Database) -> House:
    found = House(database)
    assert found.who() == "first"
    return found


def test_a_client_goes_with_the_coach_who_took_over_and_the_old_one_is_told(house: House) -> None:
    house.leave(house.database.today())
    assert house.who() == "second"
    for name in ("clients", "consents"):
        assert house.followers[house.first.coach_id, name].reasons == ["scope"]
    with house.database.write() as session:
        session.get_one(Client, house.first.client_id).name = "Maya Jones"
        session.execute(sa.update(Consent).values(note="Later."))
    assert house.who() == "second"
    assert house.followers[house.second.coach_id, "clients"].rows[str(house.first.client_id)][
        "name"
    ] == ("Maya Jones")


def test_what_is_written_after_the_leave_is_not_even_told_to_be_hidden(house: House) -> None:
    house.leave(house.database.today())
    assert house.who() == "second"
    old = house.followers[house.first.coach_id, "clients"]
    versions = dict(old.versions)
    with house.database.write() as session:
        session.get_one(Client, house.first.client_id).name = "Maya Jones"
    assert house.who() == "second"
    assert old.versions == versions


def test_a_day_to_come_takes_effect_on_that_day_although_nobody_writes_anything(
    house: House,
) -> None:
    house.leave(house.database.today() + 30 * DAY)
    assert house.who() == "first second"  # who takes over can prepare
    with clock.frozen(clock.now() + 29 * DAY):
        assert house.who() == "first second"
    with clock.frozen(clock.now() + 30 * DAY):
        assert house.who() == "second"
    assert house.followers[house.first.coach_id, "consents"].reasons == ["scope"]


def test_where_no_engagement_runs_the_last_coaches_keep_the_client(house: House) -> None:
    today, first = house.database.today(), house.first.engagement_id
    house.end(first, today)
    assert house.who() == "first"
    other = house.engage(house.second, today)
    assert house.who() == "second"
    house.end(other, today + DAY)
    with clock.frozen(clock.now() + DAY):
        assert house.who() == "first second"  # neither runs any more
        house.end(first, None)
        assert house.who() == "first"
        house.end(first, today)
        assert house.who() == "first second"
        with house.database.write() as session:
            session.delete(session.get_one(Engagement, other))
        assert house.who() == "first"


def test_an_engagement_that_never_began_counts_for_nothing(house: House) -> None:
    soon = house.database.today() + 60 * DAY
    with house.database.write() as session:
        session.get_one(Engagement, house.first.engagement_id).started_on = soon
    assert house.who() == "first"
    house.leave(house.database.today() + DAY)
    assert house.who() == "second"


def test_exports_hold_consents_of_whoever_is_the_coachs_client_now(
    house: House, tmp_path: Path
) -> None:
    def exported(pair: Pair, name: str) -> tuple[set[str], set[str]]:
        run_export(
            house.database, SYSTEM, tmp_path / name, ["json"], ["clients", "consents"],
            coaches=[str(pair.coach_id)],
        )  # fmt: skip
        return (
            {row["client_id"] for row in read_json(tmp_path / name, "consents")},
            {row["client_id"] for row in read_json(tmp_path / name, "clients")},
        )

    house.leave(house.database.today() + DAY)
    mine, own = str(house.first.client_id), str(house.second.client_id)
    assert exported(house.first, "before") == ({mine}, {mine})
    with clock.frozen(clock.now() + DAY):
        # the parent of the engagement that the coach had comes along: no reference dangles
        assert exported(house.first, "after") == (set(), {mine})
        assert exported(house.second, "second") == ({mine, own}, {mine, own})


@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_of_past_sessions_does_not_tell_who_the_client_of_another_coach_is_by_now(
    house: House, tmp_path: Path, workers: int
) -> None:
    mine, own = str(house.first.client_id), str(house.second.client_id)
    make_transcript(house.database, house.first)
    house.leave(house.database.today())
    with house.database.write() as session:
        client = session.get_one(Client, house.first.client_id)
        client.name, client.email = "Maya Jones", "jones@example.org"
        client.external_id, client.left_on = "since-then", dt.date(2027, 2, 1)
        add_letter(session, house.first, "sent")
    told: dict[str, dict[str, dict[str, str]]] = {}
    for name, pairs in (
        ("old", [house.first]),
        ("new", [house.second]),
        ("both", [house.first, house.second]),
    ):
        run_export(
            house.database, SYSTEM, tmp_path / name, ["csv", "json", "parquet"],
            coaches=[str(pair.coach_id) for pair in pairs], workers=workers,
        )  # fmt: skip
        assert bad(tmp_path / name) == []
        checks = verify_source(house.database, tmp_path / name)
        assert not [check for check in checks if not check.ok]
        told[name] = {row["client_id"]: row for row in read_csv(tmp_path / name, "clients")}
    assert list(told["old"]) == [mine]
    assert (told["old"][mine]["name"], told["old"][mine]["email"]) == (NOT_SHARED, "\\N")
    assert told["old"][mine]["external_id"] == mine.replace("-", "")
    assert told["old"][mine]["updated_at"] == told["old"][mine]["created_at"]
    assert (told["old"][mine]["left_on"], told["new"][mine]["left_on"]) == ("\\N", "2027-02-01")
    frame = frames.load("clients", house.database, coaches=[str(house.first.coach_id)])
    assert frame["name"].to_list() == [NOT_SHARED]  # a notebook and an export agree
    assert told["new"] == told["both"]
    assert {key: row["name"] for key, row in told["new"].items()} == {
        mine: "Maya Jones",
        own: house.second.client_name,
    }
    (letter,) = read_csv(tmp_path / "old", "messages")
    assert letter["recipient_name"] == "M"  # who it was then
    assert len(read_csv(tmp_path / "old", "transcripts")) == 1
    files = [each for each in (tmp_path / "old").rglob("*") if each.suffix in {".csv", ".json"}]
    held = b"".join(each.read_bytes() for each in files)
    assert not [words for words in (b"Jones", b"jones@", b"since-then") if words in held]
    restored = restore_export(tmp_path / "old", f"sqlite:///{tmp_path / 'restored.db'}")
    assert {each.name: each.rows for each in restored}["clients"] == 1


def test_the_first_look_after_an_update_tells_what_ended_before(house: House) -> None:
    house.end(house.first.engagement_id, house.database.today() - 5 * DAY)
    house.engage(house.second, house.database.today() - 4 * DAY)
    with house.database.connect(write=True) as connection:  # as a migration leaves it
        connection.execute(sa.update(FeedMeta).values(day=dt.date(1970, 1, 1)))
        connection.execute(sa.delete(ChangeLog))
    assert house.who() == "second"
    assert house.followers[house.first.coach_id, "clients"].reasons == ["scope"]


def test_the_day_moves_once_and_only_forward(house: House) -> None:
    database = house.database
    with database.connect() as connection:
        before = connection.scalar(sa.select(FeedMeta.day))
    assert before == database.today()
    house.end(house.first.engagement_id, database.today() + DAY)
    change_feed.sequence(database)
    with database.connect() as connection:
        head = change_feed.head(connection)
    with clock.frozen(clock.now() + 2 * DAY):
        for _ in range(3):
            change_feed.sequence(database)
    change_feed.sequence(database)  # the clock went back: what was told stays told
    with database.connect() as connection:
        assert connection.scalar(sa.select(FeedMeta.day)) == before + 2 * DAY
        assert change_feed.head(connection) == head + 2  # the client and a consent, once


def test_who_reads_does_not_wait_for_writers_and_the_next_one_moves_the_day(house: House) -> None:
    database = house.database
    house.leave(database.today() + DAY)
    assert house.who() == "first second"
    with clock.frozen(clock.now() + DAY):
        with database.write() as session:
            session.execute(sa.update(Engagement).values(title="Written meanwhile"))
            began = time.monotonic()
            keep_day(database)
            assert time.monotonic() - began < PATIENCE / 4
            with database.connect() as connection:
                assert connection.scalar(sa.select(FeedMeta.day)) < database.today()  # type: ignore[operator]
        assert house.who() == "second"


def test_a_new_installation_counts_from_today(home: Path) -> None:
    settings = load_settings(home=home)
    prepare(settings)
    database = Database(settings.database_url)
    with database.connect() as connection:
        assert connection.scalar(sa.select(FeedMeta.day)) == database.today()
    database.close()


@pytest.mark.postgres
def test_a_consent_written_while_the_day_moves_is_told_to_whoever_gets_the_client(
    new_database_url: Callable[..., str],
) -> None:
    database = Database(new_database_url("postgres"))
    house = House(database)
    today = database.today()
    house.end(house.first.engagement_id, today)
    house.engage(house.second, today, today + DAY)
    assert house.who() == "second"
    with database.read() as session:
        note = session.scalars(
            sa.select(Consent.id).where(Consent.client_id == house.first.client_id)
        ).one()

    def move() -> None:
        with database.connect(write=True) as connection:
            move_day(connection, today + DAY)

    moving = threading.Thread(target=move)
    with database.write() as session:
        session.add(
            Consent(client_id=house.first.client_id, kind="external_ai", granted=True,
                    recorded_at=clock.now())
        )  # fmt: skip
        session.flush()
        moving.start()
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        until(lambda: not moving.is_alive() or session.scalar(waiting))
        assert moving.is_alive(), "it waits for whoever writes consents"
    moving.join()
    with clock.frozen(clock.now() + DAY):
        keep_day(database)
        assert house.who() == "first second"
    assert len(house.followers[house.first.coach_id, "consents"].rows) == 2
    assert str(note) in house.followers[house.first.coach_id, "consents"].rows
    database.close()
