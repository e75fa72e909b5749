"""Every edge where text comes in cleans it; the database keeps the limits; cells are no formulas."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import typer
from argon2 import PasswordHasher
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.gateway import Gateway
from coachops.api import create_app
from coachops.bootstrap import Services
from coachops.cli import main
from coachops.coaching import consent, people
from coachops.coaching.actions import add_action
from coachops.coaching.analysis import analyse
from coachops.coaching.feedback import feedback_token
from coachops.coaching.feedback import record as record_feedback
from coachops.coaching.goals import LEVELS, NOTE_LIMIT, TITLE_LIMIT, add_goal, rate_goal
from coachops.coaching.importing import import_transcript
from coachops.coaching.insights import TEXT_LIMIT, edit_insight
from coachops.coaching.messages import approve, draft, edit
from coachops.coaching.messages.checks import BODY_LIMIT, SUBJECT_LIMIT
from coachops.coaching.roster import RosterRow, import_roster
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.core.text import CleanLine, CleanText, clean_line, clean_text
from coachops.dashboards.components import text_area, text_input
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Client,
    Consent,
    Feedback,
    Goal,
    GoalRating,
    Insight,
    InsightEdit,
    Message,
    User,
    Utterance,
)
from coachops.identity import Identity, passwords
from tests.coaching.builders import make_pair, make_transcript
from tests.coaching.test_roster import HEADER
from tests.faults.naughty import BLANK, NAUGHTY

NOT_WORDS = {
    "password": "goes to its hash as it was typed",
    "repeated": "as the password",
    "old": "as the password",
    "next": "an address of ours: refused unless it is plain (local_path)",
    "token": "signed or hashed: anything else is not found",
    "choice": "one of two words",
    "one_click": "one word",
    "status": "a pattern of digits",
    "id": "compared only",
    "message_id": "compared only",
    "path": "of the guide or a dashboard: looked up in a table",
}
"""Text parameters of routes that are no words of people, and why they need no cleaning."""


def _text_parameters() -> Iterator[tuple[str, str, list[object]]]:
    """Route, parameter and what stands in its annotation, for every text of every route."""
    for route in _routes():
        fields = [*route.dependant.body_params, *route.dependant.query_params]
        fields += route.dependant.path_params
        for field in fields:
            annotation = field.field_info.annotation
            if annotation is str:
                yield route.path, field.name, list(field.field_info.metadata)


def _routes() -> list[APIRoute]:
    from coachops.api import feedback, mail_events, operations, opt_out, signing_in, v1

    modules = (feedback, mail_events, operations, opt_out, signing_in, v1)
    return [r for m in modules for r in m.router.routes if isinstance(r, APIRoute)]


def test_every_text_of_every_route_is_cleaned_or_no_words() -> None:
    open_edges = [
        f"{path} {name}"
        for path, name, found in _text_parameters()
        if name not in NOT_WORDS and not any(isinstance(x, CleanLine | CleanText) for x in found)
    ]
    assert open_edges == []
    assert sum(1 for _ in _text_parameters()) > 10


def test_every_column_of_the_roster_is_cleaned() -> None:
    for name, field in RosterRow.model_fields.items():
        if field.annotation is str:
            assert any(isinstance(x, CleanLine) for x in field.metadata), name


def test_every_word_of_the_command_line_is_cleaned() -> None:
    raw = "a\x00b\u202ec\ud800"
    group: Any = typer.main.get_command(main.app)
    seen = 0
    for name in main.GROUPS:
        command = group.get_command(None, name)
        for child in getattr(command, "commands", {"": command}).values():
            for parameter in child.params:
                if getattr(parameter, "hide_input", False):
                    continue
                seen += 1
                assert parameter.callback is not None
                if parameter.type_descriptor.annotation is str:
                    assert parameter.callback(None, parameter, raw) == "abc\ufffd", (name, child)
    assert seen > 50


@pytest.mark.faults(30)
@pytest.mark.parametrize("kind", NAUGHTY)
def test_inputs_of_the_dashboards_are_cleaned(kind: str) -> None:
    raw, kept = NAUGHTY[kind]
    line, area = text_input("Name"), text_area("Words")
    line.type_in(raw)
    area.type_in(f"{raw}\r\nmore")
    assert clean_line(line.data) == kept
    assert area.data == f"{clean_text(raw)}\nmore"
    secret = text_input("Password", kind="password")
    secret.type_in("\u202e\u200bp")
    assert secret.data == "\u202e\u200bp"


@pytest.mark.faults(30)
def test_naughty_words_go_through_every_capability_into_the_database_and_back(
    database: Database, gateway: Gateway
) -> None:
    """PostgreSQL refuses NUL, both refuse half characters: neither may ever see one."""
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    identity = Identity(database, b"x", 12)
    message = draft(database, pair.actor, transcript_id)
    with database.read() as session:
        anchor = session.scalar(sa.select(Insight.anchor).where(Insight.kind == "summary"))
    levels = dict.fromkeys(LEVELS, "level")
    for number, (raw, kept) in enumerate(NAUGHTY.values()):
        words = clean_text(raw)
        goal = add_goal(database, pair.actor, pair.client_id, raw, levels | {0: raw})
        rate_goal(database, pair.actor, goal.id, 1, note=raw)
        consent.record(database, pair.actor, pair.client_id, "external_ai", True, note=raw)
        action = add_action(database, pair.actor, transcript_id, text=raw)
        edit_insight(database, pair.actor, transcript_id, "summary", str(anchor), raw)
        user = identity.add_user(SYSTEM, f"user{number}@example.org", raw, "analyst")
        message = edit(
            database, pair.actor, message.id, message.version, raw.replace("\x85", " "), raw
        )
        with database.read() as session:
            assert session.get_one(Goal, goal.id).title == kept
            assert session.get_one(Goal, goal.id).levels["0"] == words
            rating = sa.select(GoalRating.note).where(GoalRating.goal_id == goal.id)
            assert session.scalar(rating) == words
            newest = sa.select(Consent.note).order_by(Consent.recorded_at.desc(), Consent.id.desc())
            assert session.scalars(newest).first() == kept
            assert session.get_one(ActionItem, action).text == words
            assert session.scalar(sa.select(InsightEdit.text)) == words
            assert session.get_one(User, user.id).name == kept
            assert session.get_one(Message, message.id).body == f"{words}\n"


@pytest.mark.faults(30)
def test_names_and_files_with_naughty_words_are_imported(database: Database) -> None:
    written = io.StringIO()
    table = csv.writer(written)
    wanted = {}
    for number, (raw, kept) in enumerate(NAUGHTY.values()):
        if "\ud83d" in raw:  # a file cannot hold half a character
            continue
        wanted[f"k{number}"] = kept
        table.writerow(
            ["c1", "Ada Byrne", "ada@example.org", f"k{number}", raw, "", f"e{number}", raw,
             "2026-01-05", "yes", "no"]
        )  # fmt: skip
    result = import_roster(database, SYSTEM, (HEADER + written.getvalue()).encode())
    assert result.rejected == ()
    with database.read() as session:
        found = session.execute(sa.select(Client.external_id, Client.name))
        assert {row[0]: row[1] for row in found} == wanted
    lines = [raw for raw, _ in NAUGHTY.values() if "\ud83d" not in raw]
    talk = "".join(f"Ada Byrne: {raw}\nClient: so\n" for raw in lines)
    taken = import_transcript(
        database, SYSTEM, talk.encode(), "a.txt", coach="c1", client=next(iter(wanted)),
        held_on=dt.date(2026, 3, 2),
    )  # fmt: skip
    with database.read() as session:
        said = session.scalars(
            sa.select(Utterance.text).where(
                Utterance.transcript_id == taken.transcript_id, Utterance.speaker == "coach"
            )
        ).all()
    for raw in lines:
        assert any(clean_line(raw) in text for text in said), raw


def test_references_with_naughty_words_are_not_found_and_nothing_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    passwords._nobody.cache_clear()
    identity = Identity(database, b"x", 12)
    for raw, _ in NAUGHTY.values():
        with database.read() as session, pytest.raises(CoachError) as caught:
            people.find_client(session, SYSTEM, raw)
        assert caught.value.code == "COACH-CCH-001"
        with pytest.raises(CoachError) as caught:
            identity.get_user(SYSTEM, raw)
        assert caught.value.code == "COACH-IDN-008"
        with pytest.raises(CoachError) as caught:
            identity.sign_in(raw, raw)
        assert caught.value.code == "COACH-IDN-001"


@pytest.mark.parametrize("blank", BLANK)
def test_what_nobody_sees_is_no_name_and_no_text(sqlite_database: Database, blank: str) -> None:
    pair = make_pair(sqlite_database)
    transcript_id = make_transcript(sqlite_database, pair)
    levels = dict.fromkeys(LEVELS, "level")
    for act in (
        lambda: add_goal(sqlite_database, pair.actor, pair.client_id, blank, levels),
        lambda: add_action(sqlite_database, pair.actor, transcript_id, text=blank),
        lambda: Identity(sqlite_database, b"x", 12).add_user(
            SYSTEM, "a@example.org", blank, "analyst"
        ),
    ):
        with pytest.raises(CoachError) as caught:
            act()
        assert caught.value.code in {"COACH-CCH-005", "COACH-IDN-009"}
    row = f"c1,{blank},a@example.org,k1,Kim,,e1,,2026-01-05,,\n"
    result = import_roster(sqlite_database, SYSTEM, (HEADER + row).encode())
    assert len(result.rejected) == 1


@pytest.mark.faults(30)
def test_answers_of_clients_are_cleaned_and_kept(sqlite_database: Database) -> None:
    pair = make_pair(sqlite_database)
    transcript_id = make_transcript(sqlite_database, pair)
    analyse(sqlite_database, Gateway(load_settings(), sqlite_database), pair.actor, transcript_id)
    message = draft(sqlite_database, pair.actor, transcript_id)
    approve(sqlite_database, pair.actor, message.id, message.version)
    with sqlite_database.write() as session:
        found = session.get_one(Message, message.id)
        found.state, found.sending_at, found.sent_at = "sent", found.created_at, found.created_at
    token = feedback_token(b"secret", message.id)
    for raw, _ in NAUGHTY.values():
        record_feedback(sqlite_database, b"secret", token, 4, raw)
        with sqlite_database.read() as session:
            assert session.scalar(sa.select(Feedback.next_focus)) == clean_text(raw)
    for wrong in [raw for raw, _ in NAUGHTY.values()]:
        with pytest.raises(CoachError) as caught:
            record_feedback(sqlite_database, b"secret", wrong, 4, "")
        assert caught.value.code == "COACH-MSG-007"


LIMITS: dict[str, int] = {
    "coaches.name": 200, "coaches.email": 200, "coaches.external_id": 200,
    "clients.name": 200, "clients.email": 200, "clients.external_id": 200,
    "engagements.title": 200, "engagements.external_id": 200,
    "consents.note": 200, "sessions.title": 200, "transcripts.source_name": 200,
    "utterances.speaker_label": 200, "goals.title": TITLE_LIMIT, "goal_ratings.note": NOTE_LIMIT,
    "messages.subject": SUBJECT_LIMIT, "messages.body": BODY_LIMIT + 1,
    "messages.recipient_name": 200, "messages.recipient_email": 200, "feedback.next_focus": 2_000,
    "insight_edits.text": TEXT_LIMIT, "action_items.text": TEXT_LIMIT, "users.name": 200,
    "users.email": 200, "api_tokens.name": 200, "quarantine.name": 200,
}  # fmt: skip
"""Column -> the limit of the code."""
BLANK_NEVER = (
    "coaches.name", "coaches.email", "coaches.external_id", "clients.name", "clients.external_id",
    "engagements.external_id", "transcripts.source_name", "utterances.text", "goals.title",
    "messages.subject", "action_items.text", "insight_edits.text", "users.name", "api_tokens.name",
    "quarantine.name",
)  # fmt: skip


def test_the_database_itself_keeps_the_limits_of_the_code(database: Database) -> None:
    """Read from the catalogue of the database, not from the models: migrations must have made them."""
    with database.connect() as connection:
        inspector = sa.inspect(connection)
        tables = {column.partition(".")[0] for column in LIMITS}
        checks = {
            table: " ".join(
                str(check["sqltext"]) for check in inspector.get_check_constraints(table)
            ).replace("(", " ").replace(")", " ").replace("::text", "")
            for table in tables
        }  # fmt: skip
    wrong = []
    for place, limit in LIMITS.items():
        table, _, column = place.partition(".")
        words = " ".join(checks[table].split())
        if f"length {column} <= {limit}" not in words.replace('"', ""):
            wrong.append(place)
    for place in BLANK_NEVER:
        table, _, column = place.partition(".")
        words = " ".join(checks[table].lower().replace("both from", "").split())
        if f"trim {column} > 0" not in words.replace('"', "").replace("btrim", "trim"):
            wrong.append(f"{place} blank")
    assert wrong == []


def test_a_text_that_is_too_long_never_reaches_a_row(database: Database) -> None:
    pair = make_pair(database)
    for column, value in (("name", "x" * 201), ("name", " "), ("email", "x" * 201)):
        with pytest.raises((sa.exc.IntegrityError, sa.exc.DataError)), database.write() as session:
            session.execute(
                sa.update(Client).where(Client.id == pair.client_id).values({column: value})
            )
    with database.read() as session:
        assert session.get_one(Client, pair.client_id).name == pair.client_name


CELLS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
    st.tuples(st.sampled_from("=+-@\t\r'\\\""), st.text("a1=+\"',;\n\\N", max_size=6)).map("".join),
    st.sampled_from(
        [raw for raw, _ in NAUGHTY.values() if "\ud83d" not in raw and "\x00" not in raw]
    ),
)


@pytest.mark.faults(35)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_no_cell_for_spreadsheets_is_a_formula_and_every_value_comes_back(
    rows: list[tuple[str | None, str | None]],
) -> None:
    from coachops.export.batches import arrow_schema
    from coachops.export.files.csv import read_csv
    from coachops.export.shapes import Field, Shape
    from coachops.export.writers.csv import CsvRows

    shape = Shape(
        name="x", version="1.0.0", schema_id="x", key="one", order=(), foreign_keys=(),
        fields=(Field("one", "text", True), Field("two", "text", True)),
    )  # fmt: skip
    writer = CsvRows(shape, excel=True)
    batch = pa.RecordBatch.from_pylist(
        [{"one": one, "two": two} for one, two in rows], arrow_schema(shape.fields)
    )
    data = writer.header() + (bytes(writer.rows(batch, first=True)) if rows else b"")
    for cell in itertools.chain(*csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    back = [
        (row["one"], row["two"])
        for part in read_csv(iter([data]), shape, excel=True)
        for row in part.to_pylist()
    ]
    assert back == rows


def test_nothing_else_writes_tables_for_spreadsheets() -> None:
    """Another writer of CSV would need the same escape."""
    from pathlib import Path

    import coachops

    package = Path(coachops.__file__).parent
    writers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(
            word in path.read_text("utf-8") for word in ("csv.writer(", "to_csv(", "DictWriter(")
        )
    }
    # the quarantine keeps a rejected row for `replay`: it is read by us, and shown as text
    assert writers == {"coaching/roster.py"}


def test_the_routes_listed_are_all_there_are(settings_of: Callable[[], Services]) -> None:
    app = create_app(settings_of())
    ours = {route.path for route in _routes()}
    theirs = {
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and not route.path.startswith(("/app", "/guide"))
    }
    assert theirs <= ours, theirs - ours


@pytest.fixture
def settings_of(sqlite_database: Database) -> Callable[[], Services]:
    return lambda: Services(load_settings(database_url=sqlite_database.url), sqlite_database)


@pytest.fixture
def gateway(database: Database) -> Gateway:
    return Gateway(load_settings(), database)
