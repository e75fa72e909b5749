"""The pseudonymous profile: nobody is named, rows still join, and only the key makes it so."""

from __future__ import annotations

import datetime as dt
import hmac
import json
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching.roster import import_roster
from coachops.coaching.seed import seed_organisation
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import (
    Client,
    Coach,
    Engagement,
    Feedback,
    Goal,
    Message,
    Transcript,
    Utterance,
)
from coachops.export import DATASETS, Column, Dataset
from coachops.export.pseudonyms import key_name, pseudonym, pseudonymise, view_of
from tests.support.batches import batches

KEY, OTHER = b"a secret of the installation", b"another one"
ROSTER = Path(__file__).resolve().parents[2] / "samples" / "roster.csv"


@pytest.fixture
def organisation(database: Database) -> Database:
    seed_organisation(
        database, coaches=3, clients=6, sessions=14, utterances_per_session=8, seed=5,
        until=dt.date(2026, 11, 1), months=3,
    )  # fmt: skip
    return database


def _made(database: Database, key: bytes = KEY) -> dict[str, tuple[Dataset, pa.Table]]:
    made = {}
    for name, dataset in DATASETS.items():
        view, transform = pseudonymise(dataset, key)
        full = batches(database, dataset)
        empty = pa.RecordBatch.from_pylist([], schema=full[0].schema) if full else None
        if empty is not None:
            made[name] = (view, pa.Table.from_batches([transform(each) for each in full]))
    return made


def test_every_column_says_what_it_tells_of_a_person() -> None:
    for dataset in DATASETS.values():
        for column in dataset.columns:
            if column.kind in {"text", "json"} or (column.kind == "code" and not column.enum):
                assert column.privacy is not None, f"{dataset.name}.{column.name}"
            assert column.privacy_class


def test_a_new_text_column_that_does_not_say_it_is_refused() -> None:
    coaches = DATASETS["coaches"]
    nickname = Column("nickname", "text", Coach.name, "What friends call them.")
    grown = Dataset(
        "coaches", "1.1.0", "Coaches.", Coach, (*coaches.columns, nickname), scope=coaches.scope
    )
    with pytest.raises(TypeError, match="nickname"):
        pseudonymise(grown, KEY)


def test_no_column_of_words_names_or_foreign_ids_is_left() -> None:
    left = {
        f"{dataset.name}.{column.name}"
        for dataset in map(view_of, DATASETS.values())
        for column in dataset.columns
        if column.kind == "text"
    }
    assert left == {"analyses.model"}


def test_no_name_address_or_word_of_anybody_is_in_any_byte(organisation: Database) -> None:
    secrets: set[str] = set()
    with organisation.read() as session:
        for column in (
            Coach.name, Coach.email, Coach.external_id, Client.name, Client.email,
            Client.external_id, Engagement.external_id, Transcript.source_name, Transcript.sha256,
            Utterance.text, Message.subject, Message.body, Message.mail_id, Goal.title,
            Feedback.next_focus,
        ):  # fmt: skip
            secrets |= {each for each in session.scalars(sa.select(column)) if each}
        ids = {each.bytes for each in session.scalars(sa.select(Client.id))}
    assert len(secrets) > 100
    for name, (_, table) in _made(organisation).items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        raw = sink.getvalue().to_pybytes()
        assert [each for each in secrets if each.encode() in raw] == [], name
        assert [each for each in ids if each in raw] == [], name


def test_pseudonyms_stay_the_same_and_are_others_with_another_key(organisation: Database) -> None:
    first, again, other = (_made(organisation, key) for key in (KEY, KEY, OTHER))
    for name, (view, table) in first.items():
        assert table.equals(again[name][1]), name
        here = set(table.column(view.key).to_pylist())
        assert not here & set(other[name][1].column(view.key).to_pylist()), name
    assert key_name(KEY) == key_name(KEY) != key_name(OTHER)


def test_rows_still_join_over_every_foreign_key(organisation: Database) -> None:
    made = _made(organisation)
    joined = 0
    for view, table in made.values():
        for key in view.foreign_keys:
            parent, rows = made[key.dataset]
            known = set(rows.column(parent.key).to_pylist())
            found = {each for each in table.column(key.column).to_pylist() if each is not None}
            assert found <= known, f"{view.name}.{key.column}"
            joined += len(found)
    assert joined > 50


def test_pseudonyms_are_uuids_without_the_time_of_the_id(organisation: Database) -> None:
    _, table = _made(organisation)["clients"]
    with organisation.read() as session:
        wanted = {pseudonym(KEY, each).bytes for each in session.scalars(sa.select(Client.id))}
    assert set(table.column("client_id").to_pylist()) == wanted
    assert {uuid.UUID(bytes=each).version for each in wanted} == {8}
    assert {uuid.UUID(bytes=each).variant for each in wanted} == {uuid.RFC_4122}


def test_days_and_instants_become_the_monday_of_their_week(organisation: Database) -> None:
    made = _made(organisation)
    days = made["sessions"][1].column("held_on").to_pylist()
    instants = made["sessions"][1].column("created_at").to_pylist()
    assert days
    assert {each.weekday() for each in days} == {0}
    assert {(each.weekday(), each.time()) for each in instants} == {(0, dt.time())}


@given(
    st.lists(st.one_of(st.none(), st.dates()), min_size=1),
    st.lists(
        st.one_of(
            st.none(),
            st.datetimes(timezones=st.just(dt.UTC)),
        ),
        min_size=1,
    ),
)
def test_any_time_moves_less_than_a_week_back(
    days: list[dt.date | None], instants: list[dt.datetime | None]
) -> None:
    rows = max(len(days), len(instants))
    days += [None] * (rows - len(days))
    instants += [None] * (rows - len(instants))
    consents = DATASETS["consents"]
    view, transform = pseudonymise(consents, KEY)
    values = {column.name: pa.nulls(rows, pa.binary(16)) for column in consents.columns}
    values |= {
        "recorded_at": pa.array(instants, pa.timestamp("us", "UTC")),
        "created_at": pa.array([None] * rows, pa.timestamp("us", "UTC")),
    }
    engagements, move = pseudonymise(DATASETS["engagements"], KEY)
    other = {column.name: pa.nulls(rows, pa.binary(16)) for column in engagements.columns}
    stamps = pa.nulls(rows, pa.timestamp("us", "UTC"))
    other |= {
        "started_on": pa.array(days, pa.date32()), "ended_on": pa.nulls(rows, pa.date32()),
        "created_at": stamps, "updated_at": stamps,
    }  # fmt: skip
    moved = transform(pa.RecordBatch.from_pydict(values)).column("recorded_at").to_pylist()
    for before, after in zip(instants, moved, strict=True):
        if before is None:
            assert after is None
            continue
        assert dt.timedelta() <= before - after < dt.timedelta(days=7)
        assert (after.weekday(), after.time()) == (0, dt.time())
    moved_days = move(pa.RecordBatch.from_pydict(other)).column("started_on").to_pylist()
    for day, week in zip(days, moved_days, strict=True):
        assert week == (None if day is None else day - dt.timedelta(days=day.weekday()))
    assert view.name == "consents"


def test_quotes_go_from_citations_and_texts_from_figures() -> None:
    quoted = json.dumps([{"position": 3, "speaker": "client", "quote": "my boss Ruth"}])
    insights = DATASETS["insights"]
    _, transform = pseudonymise(insights, KEY)
    row = dict.fromkeys((column.name for column in insights.columns), pa.nulls(1, pa.binary(16)))
    stamp = pa.nulls(1, pa.timestamp("us", "UTC"))
    row |= {"citations": pa.array([quoted]), "created_at": stamp}
    made = transform(pa.RecordBatch.from_pydict(row)).column("citations").to_pylist()
    assert made == ['[{"position":3,"speaker":"client"}]']
    analyses = DATASETS["analyses"]
    _, transform = pseudonymise(analyses, KEY)
    row = dict.fromkeys((column.name for column in analyses.columns), pa.nulls(1, pa.binary(16)))
    counts = pa.array([json.dumps({"words": 4, "share": 0.5, "said": "Ruth", "timed": True})])
    row |= {"counts": counts, "dropped": pa.array(["{}"]), "created_at": stamp}
    (made_counts,) = transform(pa.RecordBatch.from_pydict(row)).column("counts").to_pylist()
    assert json.loads(made_counts) == {"words": 4, "share": 0.5, "said": None, "timed": True}


def test_the_audit_record_names_no_row_by_its_id(database: Database) -> None:
    import_roster(database, SYSTEM, ROSTER.read_bytes())
    dataset = DATASETS["audit_events"]
    _, transform = pseudonymise(dataset, KEY)
    (batch,) = batches(database, dataset)
    plain, hidden = (each.column("subject_id").to_pylist() for each in (batch, transform(batch)))
    assert not set(plain) & set(hidden)
    assert all(uuid.UUID(each).version == 8 for each in hidden)


@given(st.uuids(), st.binary(min_size=1, max_size=64))
def test_a_pseudonym_is_the_cmac_of_the_id_as_another_program_reckons_it(
    identifier: uuid.UUID, key: bytes
) -> None:
    mac = CMAC(algorithms.AES(hmac.digest(key, b"coachops.pseudonyms", "sha256")))
    mac.update(identifier.bytes)
    code = mac.finalize()
    assert uuid.UUID(bytes=code, version=4).int ^ pseudonym(key, identifier).int == 0xC << 76


def test_pseudonyms_need_a_key() -> None:
    with pytest.raises(ValueError, match="key"):
        pseudonymise(DATASETS["clients"], b"")


@pytest.fixture
def utterances() -> pa.RecordBatch:
    rows = 3
    ids = pa.array([uuid.UUID(int=n + 1).bytes for n in range(rows)], pa.binary(16))
    return pa.RecordBatch.from_pydict(
        {
            "utterance_id": ids, "transcript_id": ids, "source_name": ["a"] * rows,
            "position": pa.array(range(1, rows + 1), pa.int32()),
            "speaker": ["client"] * rows, "start_ms": pa.array([0] * rows, pa.int32()),
            "end_ms": pa.array([1] * rows, pa.int32()), "text": ["secret words"] * rows,
            "behaviour": pa.nulls(rows, pa.string()),
        }
    )  # fmt: skip


def test_a_slice_of_a_batch_is_made_like_the_whole(utterances: pa.RecordBatch) -> None:
    view, transform = pseudonymise(DATASETS["utterances"], KEY)
    whole, part = transform(utterances), transform(utterances.slice(1, 1))
    assert whole.slice(1, 1).equals(part)
    assert part.schema.names == [column.name for column in view.columns]
