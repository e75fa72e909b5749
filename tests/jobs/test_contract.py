"""What the engine must keep as it is: it is pinned, and these tests fail where an upgrade changes it."""

from __future__ import annotations

import importlib.metadata
import inspect
import uuid

import pytest
import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.core import ids
from coachops.core.settings import Settings
from coachops.jobs import Jobs, workflows
from coachops.jobs.engine import PARTS_QUEUE, QUEUE_OF, Executor, queues
from coachops.jobs.ids import KINDS
from coachops.jobs.rows import STATES
from coachops.jobs.store import SCHEMA, VERSION, store_url
from tests.jobs.parts import SQLITE


def test_the_private_call_for_taking_work_over_is_as_we_call_it() -> None:
    """It has no public counterpart; see site/decisions/0001."""
    assert importlib.metadata.version("dbos").startswith("3.4.")
    signature = inspect.signature(DBOS._recover_pending_workflows)
    assert list(signature.parameters) == ["executor_ids"]


def test_the_tables_hold_the_columns_that_the_health_check_reads(jobs: Jobs) -> None:
    jobs.enqueue_pipeline(ids.new_id())
    engine = sa.create_engine(store_url(jobs.services.settings), poolclass=sa.NullPool)
    schema = None if engine.dialect.name == "sqlite" else SCHEMA
    columns = {each["name"] for each in sa.inspect(engine).get_columns("workflow_status", schema)}
    engine.dispose()
    assert columns >= {
        "status", "queue_name", "created_at", "updated_at", "started_at_epoch_ms", "executor_id",
        "delay_until_epoch_ms",
    }  # fmt: skip


def test_every_state_of_the_engine_has_a_name_that_people_read() -> None:
    from dbos._sys_db import WorkflowStatusString

    assert {each.value for each in WorkflowStatusString} == STATES.keys()


def test_every_kind_of_job_has_a_workflow_and_a_queue(settings: Settings) -> None:
    assert set(KINDS) == set(QUEUE_OF) == set(workflows.__all__)
    assert {*QUEUE_OF.values(), PARTS_QUEUE} == queues(settings).keys()


@SQLITE
def test_the_limits_of_the_settings_reach_the_queues(settings: Settings) -> None:
    limited = settings.model_copy(update={"worker_analyses": 2, "analyses_per_minute": 30})
    assert (queues(limited)["analysis"].here, queues(limited)["analysis"].per_minute) == (2, 30)
    opened = open_services(limited)
    executor = Executor(opened, brief=True)
    executor.start()
    try:
        analysis = DBOS.retrieve_queue("analysis")
        assert analysis is not None
        assert analysis.limiter == {"limit": 30, "period": 60}
        assert analysis.worker_concurrency == 2
        backups = DBOS.retrieve_queue("backups")
        assert backups is not None
        assert backups.global_concurrency == 1
    finally:
        executor.stop()
        opened.close()


@SQLITE
def test_starts_of_analyses_keep_to_the_rate(settings: Settings, services: Services) -> None:
    limited = settings.model_copy(update={"analyses_per_minute": 2})
    with Jobs(limited, Services(limited, services.database)) as jobs:
        queued = [jobs.enqueue_pipeline(ids.new_id()) for _ in range(4)]
        jobs.run_inline(queued[:2])  # both fail: there is no such transcript
        states = [row.state for row in jobs.queue.get_many(queued).values()]
    assert sorted(states) == ["failed", "failed", "waiting", "waiting"]


_seen: list[str] = []
_release = 1


@DBOS.step(name="contract_first")
def _first() -> int:
    _seen.append("first")
    return 1


@DBOS.step(name="contract_added")
def _added() -> int:
    _seen.append("added")
    return 10


@DBOS.step(name="contract_last")
def _last(value: int) -> int:
    _seen.append("last")
    return value + 100


@DBOS.workflow(name="contract")
def _changing() -> int:
    value = _first()
    if _release == 2 and DBOS.patch("a-step-more"):
        value += _added()
    value = _last(value)
    if _release == 1:
        raise _KilledError
    return value


class _KilledError(Exception):
    """Where the process of the older release ends."""


@SQLITE
def test_work_of_an_older_release_is_finished_by_a_newer_one_through_patches(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is constant, so nothing is stranded; a patch keeps the old order of steps."""
    _seen.clear()
    older, newer = f"older-{uuid.UUID(int=1)}", f"newer-{uuid.UUID(int=2)}"
    executor = Executor(services, brief=True)
    executor.start()
    assert DBOS.application_version == VERSION
    with SetWorkflowID(older):
        handle = DBOS.start_workflow(_changing)
    with pytest.raises(_KilledError):
        handle.get_result()
    executor.stop()
    _pretend_killed(settings, older)
    monkeypatch.setattr(f"{__name__}._release", 2)
    executor.start()  # recovers what the place before left
    try:
        assert DBOS.retrieve_workflow(older).get_result() == 101
        with SetWorkflowID(newer):
            assert DBOS.start_workflow(_changing).get_result() == 111
    finally:
        executor.stop()
    assert _seen == ["first", "last", "first", "added", "last"]


def _pretend_killed(settings: Settings, workflow: str) -> None:
    engine = sa.create_engine(store_url(settings), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE workflow_status SET status = 'PENDING', error = NULL, completed_at = NULL "
                "WHERE workflow_uuid = :id"
            ),
            {"id": workflow},
        )
    engine.dispose()
