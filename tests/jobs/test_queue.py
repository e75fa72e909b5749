"""The queue from outside: ids, lists, and a store that is away."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.bootstrap import Services
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.jobs import Jobs
from coachops.jobs.ids import BY_KEY, JobId, keyed_id, parse_job_id, pipeline_id, report_id, send_id
from coachops.jobs.queue import JobQueue
from tests.jobs.parts import SQLITE
from tests.support.postgres import free_port

_name = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@given(
    st.one_of(
        st.builds(pipeline_id, st.uuids(), st.integers(1, 99)),
        st.builds(send_id, st.uuids(), st.integers(1, 99), st.integers(0, 9)),
        st.builds(keyed_id, st.sampled_from(BY_KEY), _name, st.integers(1, 99)),
        st.builds(report_id, _name, _name, st.integers(1, 99)),
    )
)
def test_an_id_is_read_as_it_was_written(job: JobId) -> None:
    assert parse_job_id(str(job)) == job
    assert str(job.next()).startswith(job.prefix)
    assert job.order < job.next().order


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pipeline",
        "pipeline/x/1",
        f"send/{uuid.UUID(int=7)}/x",
        "report/a/1",
        "report///1",
        f"send/{uuid.UUID(int=7)}/1/0",
        f"pipeline/{uuid.UUID(int=7)}/1/1",
        "export/../1",
        "backup//1",
        "drill/x",
        "export/a/b/1",
    ],
)
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(CoachError, match="COACH-JOB-001"):
        parse_job_id(text)


def test_lists_are_filtered_and_wrong_filters_refused(jobs: Jobs) -> None:
    assert jobs.list_jobs() == []
    queued = jobs.enqueue_pipeline(ids.new_id())
    jobs.enqueue_report("weekly_operations", {"weeks": 4})
    assert [row.id for row in jobs.list_jobs(kind="pipeline")] == [queued]
    assert {row.kind for row in jobs.list_jobs(state="waiting")} == {"pipeline", "report"}
    assert jobs.list_jobs(state="failed") == []
    assert jobs.get(queued).state == "waiting"
    with pytest.raises(CoachError, match="COACH-SYS-002"):
        jobs.list_jobs(state="odd")
    with pytest.raises(CoachError, match="COACH-SYS-002"):
        jobs.list_jobs(kind="odd")
    with pytest.raises(CoachError, match="COACH-JOB-001"):
        jobs.get(f"pipeline/{ids.new_id()}/1")


@SQLITE
def test_ended_jobs_are_forgotten_after_a_while(services: Services, jobs: Jobs) -> None:
    queue = JobQueue(services.settings)
    queued = jobs.enqueue_pipeline(ids.new_id())
    assert queue.forget_ended(clock.now(), ("pipeline",))
    assert [row.id for row in jobs.list_jobs()] == [queued]
    jobs.run_inline([queued])
    assert queue.forget_ended(clock.now(), ("send",))
    assert [row.id for row in jobs.list_jobs()] == [queued]
    assert queue.forget_ended(clock.now(), ("pipeline",))
    assert jobs.list_jobs() == []
    queue.close()


@SQLITE
def test_an_unknown_report_or_parameter_is_refused_at_once(jobs: Jobs) -> None:
    with pytest.raises(CoachError, match="COACH-REP-001"):
        jobs.enqueue_report("nowhere", {})
    with pytest.raises(CoachError, match="COACH-REP-002"):
        jobs.enqueue_report("weekly_operations", {"colour": "red"})


def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    away = f"postgresql+psycopg://u:hidden@127.0.0.1:{free_port()}/x"
    settings = load_settings(home=tmp_path, database_url=away)
    queue = JobQueue(settings)
    with pytest.raises(CoachError, match="COACH-JOB-003") as caught:
        queue.enqueue_pipeline(ids.new_id())
    assert "hidden" not in str(caught.value)
    queue.close()
