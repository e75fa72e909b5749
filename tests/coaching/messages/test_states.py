"""The life of a message, walked at random, and two processes that want the same move."""

from __future__ import annotations

import shutil
import threading
import uuid
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coachops.coaching import consent, messages
from coachops.coaching.messages import states
from coachops.coaching.messages.sending import DELAYS
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models.outcomes import MESSAGE_STATES
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis


def test_the_table_names_only_known_states_and_sent_has_one_door() -> None:
    used = {t.target for t in states.TRANSITIONS.values()}
    used |= {source for t in states.TRANSITIONS.values() for source in t.sources}
    assert used == set(MESSAGE_STATES)
    out_of_sent = [name for name, t in states.TRANSITIONS.items() if "sent" in t.sources]
    assert out_of_sent == ["reopen"]  # for a returned letter only: see test_events
    into_sending = [name for name, t in states.TRANSITIONS.items() if t.target == "sending"]
    assert into_sending == ["claim"]
    assert states.TRANSITIONS["claim"].sources == {"approved"}


def test_a_newer_version_refuses_who_saw_the_older_one(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    messages.edit(database, pair.actor, row.id, 1, "New", "New words")
    for call in (messages.approve, messages.use_engine_draft):
        with pytest.raises(CoachError, match="COACH-CCH-004"):
            call(database, pair.actor, row.id, 1)
    with pytest.raises(CoachError, match="COACH-CCH-004"):
        messages.edit(database, pair.actor, row.id, 1, "Other", "Other words")


def test_saving_the_same_words_keeps_the_approval(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    same = messages.edit(database, pair.actor, row.id, 1, f" {row.subject} ", row.body + "\n\n")
    assert (same.state, same.version, same.approved_version) == ("approved", 1, 1)
    changed = messages.edit(database, pair.actor, row.id, 1, row.subject, row.body + "PS: hi")
    assert (changed.state, changed.version, changed.approved_version) == ("draft", 2, None)


def test_nobody_approves_after_the_consent_was_withdrawn(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    consent.record(database, pair.actor, pair.client_id, "processing", granted=False)
    with pytest.raises(CoachError, match="COACH-CCH-002"):
        messages.approve(database, pair.actor, row.id, 1)


def test_a_withdrawn_consent_takes_an_approval_back_before_sending(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    consent.record(database, pair.actor, pair.client_id, "processing", granted=False)
    mailer = ListMailer()
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "draft"
    assert mailer.letters == []
    assert messages.get(database, pair.actor, row.id).error_code == "COACH-CCH-002"


def test_of_many_who_claim_at_once_one_sends(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    mailer, start = ListMailer(), threading.Barrier(4)

    def send() -> None:
        start.wait()
        messages.claim_and_send(database, mailer, row.id, LETTERHEAD)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailer.letters) == 1
    assert messages.get(database, pair.actor, row.id).state == "sent"


class Life(RuleBasedStateMachine):
    """Coach, engine and worker act in any order; the model knows what may happen."""

    template: Path
    folder: Path

    @initialize()
    def begin(self) -> None:
        path = self.folder / f"{uuid.uuid4().hex}.db"  # noqa: TID251 a file name of this test
        shutil.copy(self.template, path)
        self.database = Database(f"sqlite:///{path}")
        self.pair = make_pair(self.database)
        self.transcript_id = make_transcript(self.database, self.pair)
        make_analysis(self.database, self.transcript_id, ["First."])
        self.id = messages.draft(self.database, self.pair.actor, self.transcript_id).id
        self.state, self.version, self.sent = "draft", 1, 0
        self.approved: set[int] = set()
        self.number, self.put_off = 0, 0

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    def _try(self, allowed: bool, call: object, *arguments: object) -> bool:
        assert callable(call)
        if allowed:
            call(self.database, self.pair.actor, self.id, *arguments)
            return True
        with pytest.raises(CoachError, match=r"COACH-MSG-001|COACH-CCH-004"):
            call(self.database, self.pair.actor, self.id, *arguments)
        return False

    @rule(old=st.booleans())
    def edit(self, old: bool) -> None:
        self.number += 1
        version = self.version - old
        allowed = self.state in {"draft", "approved", "failed"} and not old
        if self._try(allowed, messages.edit, version, "Subject", f"Words {self.number}"):
            self.state, self.version = "draft", self.version + 1

    @rule(old=st.booleans())
    def approve(self, old: bool) -> None:
        if self._try(self.state == "draft" and not old, messages.approve, self.version - old):
            self.state, self.put_off = "approved", 0
            self.approved.add(self.version)

    @rule()
    def withdraw(self) -> None:
        if self._try(self.state == "approved", messages.withdraw, self.version):
            self.state, self.version = "draft", self.version + 1

    @rule()
    def write_again(self) -> None:
        allowed = self.state in {"draft", "failed"}
        if self._try(allowed, messages.write_again, self.version):
            self.state, self.version = "draft", self.version + 1

    @rule()
    def retry(self) -> None:
        if self._try(self.state == "failed", messages.retry):
            self.state, self.version, self.put_off = "approved", self.version + 1, 0
            self.approved.add(self.version)

    @rule(outcome=st.sampled_from(["sent", "failed"]))
    def resolve(self, outcome: str) -> None:
        if self._try(self.state == "uncertain", messages.resolve_uncertain, outcome):
            self.state = outcome

    @rule(
        code=st.sampled_from(["", "COACH-MSG-003", "busy", "COACH-MSG-009", "COACH-MSG-004", "bug"])
    )
    def send(self, code: str) -> None:
        mailer = ListMailer(code="" if code == "bug" else code)
        if code == "busy":
            mailer = ListMailer("COACH-MSG-003", temporary=True)
        if code == "bug":
            mailer.fault = RuntimeError("bug")
        state = messages.claim_and_send(self.database, mailer, self.id, LETTERHEAD)
        if self.state == "approved":
            assert self.version in self.approved
            self.sent += len(mailer.letters)
            if code == "busy":  # put off a few times, then given up
                after = "approved" if self.put_off < len(DELAYS) else "failed"
                self.put_off += 1
            else:
                after = {"": "sent", "COACH-MSG-003": "failed", "COACH-MSG-009": "failed"}.get(
                    code, "uncertain"
                )
            self.state = after
        else:
            assert mailer.letters == []
        assert state == self.state

    @rule()
    def analyse_again(self) -> None:
        self.number += 1
        before = messages.get(self.database, self.pair.actor, self.id)
        make_analysis(self.database, self.transcript_id, [f"Analysis {self.number}."])
        after = messages.draft(self.database, self.pair.actor, self.transcript_id)
        assert after.state == before.state
        if before.edited or before.state != "draft":
            assert after.body == before.body
        self.version = after.version

    @precondition(lambda self: self.state == "sent")
    @rule()
    def stays_sent(self) -> None:
        mailer = ListMailer()
        assert messages.claim_and_send(self.database, mailer, self.id, LETTERHEAD) == "sent"
        assert mailer.letters == []

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "database"):
            return
        row = messages.get(self.database, self.pair.actor, self.id)
        assert (row.state, row.version) == (self.state, self.version)
        assert self.sent <= 1
        if row.state == "approved":
            assert row.approved_version == row.version
        if row.state == "draft":
            assert row.approved_version is None


def test_any_order_of_acts_keeps_the_rules(sqlite_template: Path, tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("BoundLife", (Life,), {"template": sqlite_template, "folder": tmp_path})
    run_state_machine_as_test(
        machine, settings=hypothesis_settings(max_examples=10, stateful_step_count=20)
    )
