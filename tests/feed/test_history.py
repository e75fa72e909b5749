"""What is forgotten, what begins anew, and that a follower is told instead of being left behind."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.backup.settling import settle
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database, change_feed, migrate
from coachops.db.models import (
    ChangeLog,
    Coach,
    CoachingSession,
    Engagement,
    FeedMeta,
    Transcript,
    Utterance,
)
from coachops.export import DATASETS, run_export
from coachops.export.feed import Seen, handoff
from coachops.export.feed.rows import canonical_rows
from tests.feed.replica import SECRET, Replica

UTTERANCES = DATASETS["utterances"]
YEAR = dt.timedelta(days=400)


def later(database: Database, days: int) -> None:
    """Let time pass: everything in the feed is so much older."""
    change_feed.sequence(database)
    with database.connect(write=True) as connection:
        for pos, at in connection.execute(sa.select(ChangeLog.pos, ChangeLog.at)).all():
            connection.execute(
                sa.update(ChangeLog)
                .where(ChangeLog.pos == pos)
                .values(at=at - dt.timedelta(days=days))
            )


def code_of(replica: Replica) -> str:
    with pytest.raises(CoachError) as caught:
        replica.read()
    return caught.value.code


def write(database: Database, *statements: sa.Executable) -> None:
    with database.connect(write=True) as connection:
        for each in statements:
            connection.execute(each)


def entries(database: Database) -> int:
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(ChangeLog)) or 0


def test_a_compacted_feed_leads_old_and_new_followers_to_the_same(organisation: Database) -> None:
    with organisation.connect() as connection:
        coaches = connection.scalars(sa.select(Coach.id).order_by(Coach.id)).all()
    scopes = [{}, *({"coaches": frozenset({each})} for each in coaches)]
    names = ("utterances", "sessions", "clients", "consents")
    old = [Replica(organisation, Seen(DATASETS[n], **s)) for s in scopes for n in names]
    for each in old:
        each.catch_up()
    for number in range(3):
        write(organisation, sa.update(Utterance).values(line=number))
    write(
        organisation,
        sa.update(CoachingSession).values(coach_id=coaches[0]),
        sa.update(Engagement).values(coach_id=coaches[1]),
        sa.delete(Transcript).where(
            Transcript.id == sa.select(Transcript.id).limit(1).scalar_subquery()
        ),
    )
    write(organisation, sa.update(CoachingSession).values(coach_id=coaches[2]))
    later(organisation, 8)
    before = entries(organisation)
    assert change_feed.forget(organisation, YEAR) > before / 2
    assert entries(organisation) < before / 2
    new = [Replica(organisation, each.seen) for each in old]
    for each in (*old, *new):
        each.catch_up()
        assert each.wrong() == 0, each.seen
    assert change_feed.forget(organisation, YEAR) == 0


def test_a_cursor_from_before_forgotten_deletions_is_too_old(organisation: Database) -> None:
    asleep, awake = Replica(organisation, Seen(UTTERANCES)), Replica(organisation, Seen(UTTERANCES))
    slow = Replica(organisation, Seen(UTTERANCES))
    asleep.catch_up()
    write(organisation, sa.delete(Utterance).where(Utterance.position > 10))
    awake.catch_up()
    later(organisation, 401)
    slow.read(limit=5)
    change_feed.forget(organisation, YEAR)
    assert code_of(asleep) == "COACH-FED-004"
    fresh = Replica(organisation, Seen(UTTERANCES))
    for each in (awake, slow, fresh):  # one began when the deletions had happened already
        each.catch_up()
        assert each.wrong() == 0


def test_after_a_restore_followers_begin_anew(organisation: Database) -> None:
    replica = Replica(organisation, Seen(UTTERANCES))
    replica.catch_up()
    settle(organisation, "backup-1")  # what every restore ends with
    assert code_of(replica) == "COACH-FED-003"
    again = Replica(organisation, Seen(UTTERANCES))
    again.catch_up()
    assert again.wrong() == 0


def test_a_cursor_of_another_database_is_refused(
    backend: str, new_database_url: Callable[..., str], organisation: Database
) -> None:
    other = Database(new_database_url(backend, migrated=False))
    migrate.upgrade(other)
    replica = Replica(organisation, Seen(UTTERANCES))
    replica.catch_up()
    assert code_of(Replica(other, Seen(UTTERANCES), replica.cursor)) == "COACH-FED-003"
    other.close()


def test_a_cursor_from_the_future_is_refused(organisation: Database) -> None:
    """As after setting the data back by means that tell nobody: a file copied over, a snapshot."""
    replica = Replica(organisation, Seen(UTTERANCES))
    replica.catch_up()
    if organisation.is_sqlite:
        write(organisation, sa.text("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'change_log'"))
    else:
        write(organisation, sa.update(FeedMeta).values(head_pos=1))
    assert code_of(replica) == "COACH-FED-003"


def test_cursors_of_another_filter_dataset_or_schema_are_refused(organisation: Database) -> None:
    with organisation.connect() as connection:
        coach = connection.scalar(sa.select(Coach.id).limit(1))
    assert coach is not None
    replica = Replica(organisation, Seen(UTTERANCES))
    replica.catch_up()
    narrower = Seen(UTTERANCES, coaches=frozenset({coach}))
    assert code_of(Replica(organisation, narrower, replica.cursor)) == "COACH-FED-002"
    other = Seen(DATASETS["insights"])
    assert code_of(Replica(organisation, other, replica.cursor)) == "COACH-FED-002"
    retired = Seen(replace(UTTERANCES, version="2.0.0"))
    assert code_of(Replica(organisation, retired, replica.cursor)) == "COACH-FED-005"


def test_a_new_column_is_told_for_every_row(organisation: Database) -> None:
    versions = {name: dataset.version for name, dataset in DATASETS.items()}
    assert change_feed.note_versions(organisation, versions) == []
    replica = Replica(organisation, Seen(UTTERANCES))
    replica.catch_up()
    rows = len(replica.rows)
    assert change_feed.note_versions(organisation, versions | {"utterances": "1.1.0"}) == [
        "utterances"
    ]
    before = dict(replica.versions)
    replica.catch_up()
    assert sum(replica.versions[key] > before[key] for key in replica.rows) == rows
    assert change_feed.note_versions(organisation, versions | {"utterances": "1.1.0"}) == []


def test_a_bulk_copy_goes_on_in_the_feed_without_a_gap(organisation: Database) -> None:
    seen = Seen(UTTERANCES)
    with organisation.connect() as connection:  # one moment; changes are committed while it is read
        given = handoff(connection, SECRET, [seen])
        write(
            organisation,
            sa.update(Utterance).values(text="Meanwhile."),
            sa.delete(Utterance).where(Utterance.position == 2),
        )
        rows = dict(canonical_rows(connection, UTTERANCES, None))
    replica = Replica(organisation, seen, given.cursors["utterances"])
    for key, line in rows.items():
        replica.rows[key], replica.versions[key] = json.loads(line), given.pos
    replica.catch_up()
    assert "deleted" in replica.reasons
    assert replica.wrong() == 0


def test_who_loads_an_export_goes_on_with_the_cursors_of_its_manifest(
    organisation: Database, tmp_path: Path
) -> None:
    manifest = run_export(organisation, SYSTEM, tmp_path / "out", ["jsonl"], feed=SECRET)
    write(
        organisation,
        sa.update(Utterance).values(text="Meanwhile."),
        sa.delete(Utterance).where(Utterance.position == 2),
    )
    for name, cursor in manifest["feed"]["cursors"].items():
        replica = Replica(organisation, Seen(DATASETS[name]), cursor)
        for path in sorted((tmp_path / "out" / "data").glob(f"{name}-*.jsonl")):
            for line in path.read_bytes().removesuffix(b"\n").split(b"\n"):
                row = json.loads(line)
                key = row[replica.seen.dataset.key]
                replica.rows[key], replica.versions[key] = row, manifest["feed"]["head"]
        replica.catch_up()
        assert replica.wrong() == 0, name
    assert manifest["feed"]["cursors"].keys() == DATASETS.keys()


def test_an_export_that_no_follower_can_select_has_no_cursors(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    since = dt.date(2020, 1, 1)
    manifest = run_export(
        sqlite_organisation, SYSTEM, tmp_path / "out", ["csv"], since=since, feed=SECRET
    )
    assert manifest["feed"]["cursors"] == {}


def test_the_state_tells_what_waits(organisation: Database) -> None:
    change_feed.sequence(organisation)
    write(organisation, sa.update(Utterance).values(text="Once."))
    with organisation.connect() as connection:
        found = change_feed.state(connection)
        assert len(found.epoch) == 16
    if not organisation.is_sqlite:
        assert found.backlog > 0
        assert found.oldest_waiting is not None
        assert found.oldest_waiting <= clock.now()
    change_feed.sequence(organisation)
    with organisation.connect() as connection:
        after = change_feed.state(connection)
    assert (after.backlog, after.oldest_waiting) == (0, None)
    assert after.head >= found.head
    assert after.entries == found.entries + found.backlog
