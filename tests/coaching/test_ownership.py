"""What belongs to one coach is neither read nor changed by another, through any public function."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
import pkgutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

import coachops.coaching
from coachops.ai.gateway import Gateway
from coachops.coaching import importing, people, quarantine
from coachops.coaching.analysis import analyse
from coachops.coaching.corrections import cut
from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.model import ClientIn
from coachops.coaching.goals import LEVELS, add_goal
from coachops.coaching.messages import draft
from coachops.coaching.quarantine import Refused
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Base,
    Client,
    Coach,
    Engagement,
    Insight,
)
from tests.coaching.builders import make_pair, make_transcript

SECRET = "Zebulon Quartz"
FOREIGN = (
    ("coach", f"What is on your mind, {SECRET}?"),
    ("client", f"I will write to {SECRET} by Friday about delegation."),
)
LEVEL_TEXTS = {level: f"{SECRET} {level}" for level in LEVELS}
NO_OWNER_BY_DESIGN = {
    "coachops.coaching.analysis_again.degraded_due": "ids for the worker",
    "coachops.coaching.directory.repeating.once": "runs its caller's work, which checks",
    "coachops.coaching.feedback.open_form": "the client's signed link is the right to see it",
    "coachops.coaching.feedback.record": "the client's signed link is the right to change it",
    "coachops.coaching.importing.pending_transcripts": "ids for the worker",
    "coachops.coaching.messages.events.record_reports": "mail servers report; matched by our ids",
    "coachops.coaching.messages.opt_out.open_choice": "the client's signed link is the right",
    "coachops.coaching.messages.opt_out.resume_letters": "the client's signed link is the right",
    "coachops.coaching.messages.opt_out.stop_letters": "the client's signed link is the right",
    "coachops.coaching.messages.reports.take_mail": "mail servers report; matched by our ids",
    "coachops.coaching.messages.sending.claim_and_send": "the worker sends what was approved",
    "coachops.coaching.messages.sending.give_up_lost_sendings": "ids for the worker",
    "coachops.coaching.messages.sending.try_again_later": "the worker's message by its id",
    "coachops.coaching.messages.sending.unsent_approved": "ids for the worker",
    "coachops.coaching.messages.suppression.of_address": "by an address that the caller holds",
    "coachops.coaching.quarantine.is_whole": "a yes or no for who was just refused; no words",
    "coachops.coaching.quarantine.expire": "the worker deletes what is too old",
    "coachops.coaching.seed.organisation.seed_organisation": "the operator's command",
}


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of the capability that takes the database."""
    package = coachops.coaching
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            first = next(iter(inspect.signature(function).parameters), "")
            public = function.__module__ == info.name and not name.startswith("_")
            if public and first == "database":
                yield f"{info.name}.{name}", function


FUNCTIONS = dict(public_functions())


@pytest.fixture
def theirs(sqlite_database: Database, gateway: Gateway) -> dict[str, Any]:
    """Another coach's client with everything that can belong to one, as arguments by name."""
    database = sqlite_database
    pair = make_pair(database, client_name=SECRET, consents=("processing", "external_ai"))
    transcript_id = make_transcript(database, pair, FOREIGN)
    analyse(database, gateway, pair.actor, transcript_id)
    message = draft(database, pair.actor, transcript_id)
    refused = Refused(
        "transcript", f"{SECRET}.docx", b"no zip", CoachError("COACH-TRN-002", name=SECRET), "page",
        coach_id=pair.coach_id, client_id=pair.client_id,
    )  # fmt: skip
    goal = add_goal(database, pair.actor, pair.client_id, SECRET, LEVEL_TEXTS)
    edit = cut(database, pair.actor, transcript_id, 1, 1)
    with database.read() as session:
        client = session.get_one(Client, pair.client_id)
        coach = session.get_one(Coach, pair.coach_id)
        return {
            "pair": pair,
            "gateway": gateway,
            "transcript_id": transcript_id,
            "transcript_ids": [transcript_id],
            "client_id": pair.client_id,
            "message_id": message.id,
            "goal_id": goal.id,
            "item_id": quarantine.keep(database, pair.actor, refused),
            "refused": refused,
            "edit_id": edit,
            "action_id": session.scalars(sa.select(ActionItem.id)).first(),
            "anchor": session.scalars(
                sa.select(Insight.anchor).where(Insight.kind == "summary")
            ).first(),
            "client": client.external_id,
            "external_id": client.external_id,
            "words": SECRET,
            "coach": coach.external_id,
        }


VALUES: dict[str, Any] = {
    "position": 2, "from_position": 1, "to_position": 2, "from_char": 0, "to_char": 3,
    "speaker": "coach", "behaviour": "question", "kind": "summary", "text": "Changed.",
    "status": "done", "title": "Goal", "levels": LEVEL_TEXTS, "level": 1, "granted": False,
    "version": 1, "subject": "Hello", "body": "Words.", "outcome": "sent", "letterhead": None,
    "data": b"Ada: hello there\nMaya: hello to you\n", "name": "new.txt",
    "held_on": dt.date(2026, 11, 3), "state": None, "size_bytes": 1 << 30,
    "key": None, "overwrite": True, "secret": b"secret", "reason": "bounce", "note": "It works again.",
}  # fmt: skip


def _arguments(name: str, theirs: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """Who asks, and what belongs to the other coach."""
    arguments: dict[str, Any] = {}
    parameters = dict(inspect.signature(FUNCTIONS[name]).parameters)
    del parameters["database"]
    if parameters.pop("actor", None):
        arguments["actor"] = actor
    if parameters.pop("writer", None):
        arguments["writer"] = Writer(actor, secret=b"digests")
    for each in parameters.values():
        if each.name in theirs and each.name != "pair":
            arguments[each.name] = theirs[each.name]
        elif each.default is inspect.Parameter.empty:
            arguments[each.name] = VALUES[each.name]
    fitting = {"consent.record": {"kind": "processing"}, "lookup.look_up": {"kind": "client"}}
    arguments |= next((more for end, more in fitting.items() if name.endswith(end)), {})
    if ".directory." in name:
        known = {"kind": "client", "body": ClientIn(name="Changed")}
        arguments |= {each: known[each] for each in known.keys() & arguments.keys()}
    if "coaching.messages" not in name:
        arguments.pop("version", None)
    return arguments


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - NO_OWNER_BY_DESIGN.keys()))
def test_another_coach_neither_reads_nor_changes(
    sqlite_database: Database, theirs: dict[str, Any], name: str
) -> None:
    mine = make_pair(sqlite_database)
    arguments = _arguments(name, theirs, mine.actor)
    before = _rows(sqlite_database)
    answer = ""
    try:
        answer = repr(FUNCTIONS[name](database=sqlite_database, **arguments))
    except CoachError as error:
        answer, code = str(error).replace(str(arguments.get("transcript_id")), ""), error.code
        refused = code in {"COACH-CCH-001", "COACH-IDN-003"}
    else:
        refused = True  # an empty answer
    assert refused, answer
    assert SECRET not in answer
    assert str(theirs["transcript_id"]) not in answer
    assert _rows(sqlite_database) == before


def test_the_functions_without_an_owner_exist() -> None:
    assert NO_OWNER_BY_DESIGN.keys() <= FUNCTIONS.keys()
    for name in FUNCTIONS.keys() - NO_OWNER_BY_DESIGN.keys():
        assert inspect.signature(FUNCTIONS[name]).parameters.keys() & {"actor", "writer"}, name


def _rows(database: Database) -> dict[str, list[Any]]:
    with database.read() as session:
        return {
            table.name: sorted(map(repr, session.execute(sa.select(table))))
            for table in Base.metadata.sorted_tables
        }


def test_a_file_of_another_coach_of_the_client_is_not_told(sqlite_database: Database) -> None:
    one = make_pair(sqlite_database)
    two = make_pair(sqlite_database)
    data = f"{one.coach_name}: What now?\n{one.client_name}: I will rest.\n".encode()

    def share(session: Session) -> None:
        session.add(
            Engagement(
                external_id="shared", coach_id=two.coach_id, client_id=one.client_id,
                title="", started_on=dt.date(2026, 2, 1),
            )
        )  # fmt: skip

    sqlite_database.run(share)
    taken = {"coach": str(one.coach_id), "client": str(one.client_id)}
    importing.import_transcript(sqlite_database, one.actor, data, "a.txt", **taken)
    with pytest.raises(CoachError) as caught:
        importing.import_transcript(
            sqlite_database, two.actor, data, "a.txt", **(taken | {"coach": str(two.coach_id)})
        )
    assert caught.value.code == "COACH-CCH-005"
    assert "another coach" in str(caught.value)


def test_an_address_shared_with_a_client_of_another_coach_is_still_mine(
    sqlite_database: Database,
) -> None:
    one, two = make_pair(sqlite_database), make_pair(sqlite_database)

    def share(session: Session) -> None:
        for pair in (one, two):
            session.get_one(Client, pair.client_id).email = "desk@example.org"

    sqlite_database.run(share)

    def found(actor: Actor) -> uuid.UUID:
        with sqlite_database.read() as session:
            return people.find_client(session, actor, "desk@example.org").id

    assert (found(one.actor), found(two.actor)) == (one.client_id, two.client_id)
    with pytest.raises(CoachError, match="may see"):
        found(Actor(None, "admin", "admin"))
