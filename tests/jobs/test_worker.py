"""Workers that are killed, stopped and replaced: everything ends, nothing is doubled."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.models import ActionItem, Analysis, Message
from coachops.jobs import Jobs, places, worker_status
from coachops.jobs.engine import Executor
from tests.coaching.builders import Pair, make_transcript
from tests.jobs.parts import SQLITE, approved_message
from tests.support.patience import PATIENCE
from tests.support.worker import run_python, start_worker

KILLED_WHILE_DRAFTING = """
    import os, signal, sys
    from coachops.bootstrap import services
    from coachops.coaching import messages
    from coachops.jobs import Jobs

    messages.draft = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
    opened = services()
    Jobs(opened.settings, opened).run_inline(sys.argv[1:])
"""

KILLED_AFTER_HANDING_OVER = """
    import os, signal, sys
    from coachops.bootstrap import services
    from coachops.coaching.messages import OutboxMailer
    from coachops.jobs import Jobs

    deliver = OutboxMailer.deliver

    def killed(self, letter, **who):
        deliver(self, letter, **who)
        os.kill(os.getpid(), signal.SIGKILL)

    OutboxMailer.deliver = killed
    opened = services()
    Jobs(opened.settings, opened).run_inline(sys.argv[1:])
"""


def _count(services: Services, table: type[Analysis] | type[Message] | type[ActionItem]) -> int:
    with services.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


@pytest.mark.faults
def test_a_worker_killed_between_analysis_and_draft_is_finished_by_the_next(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    transcript_id = make_transcript(services.database, pair)
    queued = jobs.enqueue_pipeline(transcript_id)
    child = run_python(settings, KILLED_WHILE_DRAFTING, queued)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert jobs.get(queued).state == "running"
    steps = _count(services, ActionItem)
    assert (_count(services, Analysis), _count(services, Message)) == (1, 0)
    (row,) = jobs.run_inline([queued])  # takes the dead process's place
    assert (row.state, row.worker) == ("done", "worker-0")
    assert (_count(services, Analysis), _count(services, Message)) == (1, 1)
    assert _count(services, ActionItem) == steps


@pytest.mark.faults
def test_a_worker_killed_after_handing_over_leaves_the_message_to_a_person(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    message = approved_message(services, pair)
    queued = jobs.enqueue_send(message.id)
    child = run_python(settings, KILLED_AFTER_HANDING_OVER, queued)
    assert child.returncode == -signal.SIGKILL, child.stderr
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-MSG-004")
    assert messages.get(services.database, SYSTEM, message.id).state == "uncertain"
    assert len(list(settings.outbox.glob("*.eml"))) == 1


@pytest.mark.faults
def test_a_living_worker_takes_over_from_a_dead_one(
    services: Services, settings: Settings, jobs: Jobs, pair: Pair
) -> None:
    """The dead one held place 0; the living one holds place 1 and finds its lock free."""
    queued = jobs.enqueue_pipeline(make_transcript(services.database, pair))
    assert run_python(settings, KILLED_WHILE_DRAFTING, queued).returncode == -signal.SIGKILL
    executor = Executor(services, brief=True)
    with places.take_lowest(settings) as held:
        assert held.name == "worker-0"
        assert executor.start().name == "worker-1"
        try:
            assert executor.recover_dead() == []  # place 0 is held: its holder lives
            held.release()
            assert executor.recover_dead() == ["worker-0"]
            (row,) = jobs.wait_for([queued])
        finally:
            executor.stop()
    assert (row.state, row.worker) == ("done", "worker-1")
    assert _count(services, Message) == 1


def test_a_place_is_held_once_and_the_lowest_free_one_is_taken(settings: Settings) -> None:
    first, second = places.take_lowest(settings), places.take_lowest(settings)
    assert (first.name, second.name) == ("worker-0", "worker-1")
    assert places.try_take(settings, 0) is None
    assert first.alive()
    first.release()
    with places.take_lowest(settings) as again:
        assert again.name == "worker-0"
    second.release()


@SQLITE
def test_when_every_place_is_taken_a_worker_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PLACES", 1)
    with places.take_lowest(settings), pytest.raises(CoachError, match="COACH-JOB-005"):
        places.take_lowest(settings)


@pytest.mark.faults
def test_the_worker_command_works_until_it_is_told_to_stop(
    services: Services, settings: Settings, pair: Pair, until: Callable[..., None]
) -> None:
    message = approved_message(services, pair)
    worker = start_worker(settings)
    try:
        until(lambda: messages.get(services.database, SYSTEM, message.id).state == "sent")
        until(lambda: worker_status(services.database).alive == ("worker-0",))
        worker.send_signal(signal.SIGTERM)
        _, logs = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
        worker.wait()
    assert worker.returncode == 0, logs
    assert "the worker has stopped" in logs
    assert "Traceback" not in logs
    assert not worker_status(services.database).running
