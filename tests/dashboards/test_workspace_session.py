"""What a coach changes on a session: wording, next steps, the transcript, the life of the letter."""

from __future__ import annotations

import uuid

import pytest

from coachops.bootstrap import Services
from coachops.coaching.messages import MessageRow, list_messages
from coachops.coaching.messages.states import move
from coachops.coaching.review import Review, load_review
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.dashboards.components import Button, Tabs
from coachops.dashboards.components_base import Part
from coachops.dashboards.transcript_view import TranscriptView
from coachops.dashboards.workspace import Workspace
from coachops.dashboards.workspace.session_actions import ActionList
from coachops.dashboards.workspace.session_analysis import InsightList
from coachops.db import Database
from tests.support.workspace import (
    Desk,
    choose,
    everything,
    page_text,
    press,
    shown_field,
)


@pytest.fixture
def desk(settings: Settings, sqlite_database: Database) -> Desk:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Desk(Services(settings, sqlite_database))


@pytest.fixture
def transcript_id(desk: Desk) -> uuid.UUID:
    return desk.analysed("01-delegation.vtt", "AC-101", "CL-201")


@pytest.fixture
def workspace(desk: Desk, transcript_id: uuid.UUID) -> Workspace:
    made = desk.workspace("AC-101")
    made.session(transcript_id)
    return made


def reviewed(workspace: Workspace, transcript_id: uuid.UUID) -> Review:
    return load_review(workspace.database, workspace.actor, transcript_id)


def letter(workspace: Workspace) -> MessageRow:
    (row,) = list_messages(workspace.database, workspace.actor)
    return row


def tick(workspace: Workspace, *positions: int) -> None:
    (view,) = everything(workspace, TranscriptView)
    view.receive({"event": "select", "positions": list(positions)})


def test_each_finding_cites_utterances_of_the_transcript_beside_it(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    (view,) = everything(workspace, TranscriptView)
    positions = {row[0] for row in view.rows}
    html = "".join(each.content for each in everything(workspace, InsightList))
    assert f'data-view="{view.model_id}"' in html
    for insight in reviewed(workspace, transcript_id).insights:
        assert {c.position for c in insight.citations} <= positions
        assert all(f'data-jump="{c.position}"' in html for c in insight.citations)


def test_the_coachs_wording_stays_after_a_new_analysis(
    desk: Desk, workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    choose(workspace, "edit")
    shown_field(workspace, "Your wording").type_in("He wants to let go, on his own terms.")
    press(workspace, "Save", "")
    assert "He wants to let go, on his own terms." in page_text(workspace)
    desk.work.enqueue_pipeline(transcript_id)
    workspace.session(transcript_id)
    assert "He wants to let go, on his own terms." in page_text(workspace)
    assert "Your words" in page_text(workspace)
    choose(workspace, "restore")
    assert "He wants to let go, on his own terms." not in page_text(workspace)


def test_a_finding_can_be_removed_and_put_back(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    before = len(reviewed(workspace, transcript_id).insights)
    choose(workspace, "remove")
    assert len(reviewed(workspace, transcript_id).insights) == before - 1
    assert "Removed by you (1)" in page_text(workspace)
    choose(workspace, "restore", "Put back")
    assert len(reviewed(workspace, transcript_id).insights) == before


def test_an_edit_over_somebody_elses_edit_is_refused_with_a_reason(
    desk: Desk, workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    other = desk.workspace("AC-101")
    other.session(transcript_id)
    choose(workspace, "edit")
    choose(other, "edit")
    for page, words in ((other, "First."), (workspace, "Second.")):
        shown_field(page, "Your wording").type_in(words)
    press(other, "Save")
    press(workspace, "Save")
    assert "COACH-CCH-004" in page_text(workspace)
    assert any(i.text == "First." for i in reviewed(workspace, transcript_id).insights)


def test_a_next_step_is_done_opened_again_and_reworded(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    def state() -> dict[uuid.UUID, str]:
        return {a.id: a.status for a in reviewed(workspace, transcript_id).actions}

    choose(workspace, "done")
    assert "done" in state().values()
    choose(workspace, "reopen")
    assert set(state().values()) == {"open"}
    lists = everything(workspace, ActionList)
    name, value = next(o for o in lists[0].offers if o[0] == "edit")
    lists[0].choose(name, value)
    fields = [f for f in lists[0].find(object) if getattr(f, "label", "") == "What is to be done?"]
    fields[0].type_in("Hand the report over")
    due = next(f for f in lists[0].find(object) if getattr(f, "label", "") == "Until when?")
    due.type_in("2027-01-15")
    next(b for b in lists[0].find(Button) if b.label == "Save").click()
    changed = next(
        a for a in reviewed(workspace, transcript_id).actions if a.text == "Hand the report over"
    )
    assert str(changed.due_date) == "2027-01-15"
    assert changed.edited


def test_a_step_added_by_hand_without_an_owner_is_a_proposal(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    shown_field(workspace, "What is to be done?").type_in("Try a walk before work")
    shown_field(workspace, "Who does it?").data = "unassigned"
    press(workspace, "Add")
    added = next(a for a in reviewed(workspace, transcript_id).actions if a.by_hand)
    assert (added.text, added.modality) == ("Try a walk before work", "proposal")


def test_ticked_utterances_can_be_left_out_and_brought_back(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    tick(workspace, 3)
    press(workspace, "Leave out everything before \u00b63")
    cut = [u.position for u in reviewed(workspace, transcript_id).utterances if u.is_cut]
    assert cut == [1, 2]
    (view,) = everything(workspace, TranscriptView)
    assert "cut" in view.rows[0][6]
    assert "older than your corrections" in workspace.page.text()
    choose(workspace, "undo")
    assert not any(u.is_cut for u in reviewed(workspace, transcript_id).utterances)
    assert "(undone)" in page_text(workspace)


def test_words_are_hidden_wherever_they_stand_in_the_ticked_utterances(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    spoken = reviewed(workspace, transcript_id).utterances
    word = max(spoken[1].text.split(), key=len).strip(".,?!")
    tick(workspace, 2)
    shown_field(workspace, "Words to hide").type_in(word.upper())
    press(workspace, "Hide words")
    text = reviewed(workspace, transcript_id).utterances[1].text
    assert word not in text
    assert "[redacted]" in text


def test_after_a_correction_and_its_undoing_the_reader_stands_at_the_corrections(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[str] = []
    monkeypatch.setattr(Part, "focus", lambda part: went.append(part.text()))
    tick(workspace, 2)
    press(workspace, "Leave these out")
    choose(workspace, "undo")
    assert went == ["Corrections", "Corrections"]


def test_hiding_words_that_are_not_there_says_so(workspace: Workspace) -> None:
    tick(workspace, 2)
    shown_field(workspace, "Words to hide").type_in("zebra crossing")
    press(workspace, "Hide words")
    assert "they do not stand in the ticked utterances" in page_text(workspace)


def test_speaker_and_behaviour_of_utterances_can_be_corrected(
    workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    spoken = reviewed(workspace, transcript_id).utterances
    coach = next(u for u in spoken if u.speaker == "coach")
    tick(workspace, coach.position)
    shown_field(workspace, "What does the coach do here?").data = "reflection"
    press(workspace, "Change behaviour")
    assert reviewed(workspace, transcript_id).utterances[0].behaviour == "reflection"
    tick(workspace, coach.position)
    shown_field(workspace, "Who says this?").data = "client"
    press(workspace, "Change speaker")
    changed = reviewed(workspace, transcript_id).utterances[coach.position - 1]
    assert changed.speaker == "client"
    assert "speaker_corrected" in changed.flags


def test_a_failed_sending_is_shown_with_its_reason_and_can_be_tried_again(
    desk: Desk, workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    _force(workspace, "claim", "refuse", error_code="COACH-MSG-003")
    workspace.session(transcript_id, "follow-up")
    assert "It was not sent" in page_text(workspace)
    assert "COACH-MSG-003" in page_text(workspace)
    press(workspace, "Try again")
    assert letter(workspace).state == "sent"
    assert len(list(desk.services.settings.outbox.glob("*.eml"))) == 1


@pytest.mark.parametrize(
    ("answer", "state"), [("It arrived", "sent"), ("It did not arrive", "failed")]
)
def test_an_uncertain_sending_waits_for_a_persons_answer(
    desk: Desk, workspace: Workspace, transcript_id: uuid.UUID, answer: str, state: str
) -> None:
    _force(workspace, "claim", "lose", error_code="COACH-MSG-004")
    workspace.home()
    assert "Did the follow-up arrive?" in workspace.page.text()
    choose(workspace, "uncertain")
    press(workspace, answer)
    assert letter(workspace).state == state
    assert not desk.services.settings.outbox.is_dir()


def test_an_approval_holds_for_the_words_that_were_shown(
    desk: Desk, workspace: Workspace, transcript_id: uuid.UUID
) -> None:
    other = desk.workspace("AC-101")
    other.session(transcript_id, "follow-up")
    press(other, "Edit")
    shown_field(other, "Subject").type_in("Changed in another tab")
    press(other, "Save")
    with pytest.raises(CoachError, match="COACH-CCH-004"):
        next(b for b in everything(workspace, Button) if b.label == "Approve and send").callback()
    assert letter(workspace).state == "draft"
    assert "Changed in another tab" in page_text(workspace)


def test_what_is_being_typed_survives_a_change_elsewhere(workspace: Workspace) -> None:
    press(workspace, "Edit")
    shown_field(workspace, "Subject").type_in("Half a thought")
    choose(workspace, "done")
    assert shown_field(workspace, "Subject").data == "Half a thought"


def test_an_analyst_reads_and_changes_nothing(desk: Desk, transcript_id: uuid.UUID) -> None:
    coach = desk.actor("AC-101")
    analyst = type(coach)(coach.user_id, "analyst", "Ines")
    workspace = Workspace(analyst, desk.services, desk.work)
    workspace.session(transcript_id)
    assert "Summary" in page_text(workspace)
    labels = {b.label for b in everything(workspace, Button)}
    assert labels <= {"Help", "See the reasons", "See the draft"}
    (view,) = everything(workspace, TranscriptView)
    assert not view.selectable


def test_how_it_was_made_names_engine_losses_and_the_outbound_log(
    desk: Desk, workspace: Workspace
) -> None:
    (tabs,) = everything(workspace, Tabs)
    text = " ".join(child.text() for child in tabs.children[4])
    assert "Nothing. No word of this session was sent" in text
    assert "Left out" in text
    broken = desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    theirs = desk.workspace("AC-102")
    theirs.session(broken)
    assert "5 lines of 05-conflict-with-boss.vtt could not be imported" in page_text(theirs)


def _force(workspace: Workspace, *moves: str, **values: object) -> None:
    """Bring the letter into a state that only a mail server's failure makes."""
    row = letter(workspace)

    def work(session: object) -> None:
        now = clock.now()
        assert move(
            session, row.id, "approve", approved_at=now, approved_version=row.version  # type: ignore[arg-type]
        )  # fmt: skip
        for name in moves:
            assert move(session, row.id, name, sending_at=now, **values)  # type: ignore[arg-type]

    workspace.database.run(work)
