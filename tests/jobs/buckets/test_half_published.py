"""Publishing into a bucket that ends half-way leaves nothing of clients, and takes nothing of others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import services as open_services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.export import require_intact, verify_export
from coachops.export.issued import Issued, Registry
from coachops.export.issued.bucket import BucketPlace
from coachops.jobs import Jobs, coordinating
from coachops.jobs.exports import SUITE
from coachops.jobs.workflows import exports as workflow
from tests.coaching.builders import Pair
from tests.jobs.parts import SQLITE
from tests.support.s3 import Bucket, S3Server

pytestmark = SQLITE
DATASETS = ["coaches", "clients", "sessions", "utterances"]
A_DAY = dt.timedelta(days=1, minutes=1)
TAKE_OVER = BucketPlace._take_over
Step = Callable[[int], object]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Step], None]:
    """Have that called before each file of data that goes to its place, with its number from 1."""

    def broken(step: Step) -> None:
        taken: list[str] = []

        def take_over(place: BucketPlace, generation: int, path: str) -> None:
            taken.append(path)
            step(len(taken))
            TAKE_OVER(place, generation, path)

        monkeypatch.setattr(BucketPlace, "_take_over", take_over)

    return broken


def full(number: int) -> None:
    if number == 3:
        raise CoachError("COACH-EXP-050", place="there", reason="no room")


def run(jobs: Jobs, bucket: Bucket, out: str = "chosen") -> tuple[str, Issued]:
    """Have an export made there; returns the state of its job, and the export."""
    queued = jobs.enqueue_export(
        SYSTEM, datasets=DATASETS, formats=["jsonl"], out=f"{bucket.url}/{out}" if out else ""
    )
    (row,) = jobs.run_inline([queued])
    return row.state, jobs.export_of(queued)


def verify(bucket: Bucket, prefix: str, folder: Path) -> str:
    """Check the export below the prefix; returns its manifest."""
    require_intact(bucket.fetch(prefix, folder), verify_export(folder))
    return (folder / "manifest.json").read_text()


def again(jobs: Jobs, export: Issued) -> str:
    (row,) = jobs.run_inline([jobs.exports.enqueue(jobs.exports.again(SUITE, str(export.id)))])
    return row.state


@pytest.mark.parametrize("out", ["chosen", ""])
def test_what_publishing_left_half_way_is_taken_away_at_once_and_nothing_of_others(
    jobs: Jobs, pair: Pair, bucket: Bucket, broken: Callable[[Step], None], tmp_path: Path, out: str
) -> None:
    seen: set[str] = set()
    theirs = {
        "data/clients-0007.jsonl", "data/notes.txt", "schemas/clients-9.9.9.json", "README", "SUMS",
    }  # fmt: skip

    def step(number: int) -> None:
        if number == 3:
            seen.update(bucket.names())
            (prefix,) = {name.rpartition("/data/")[0] for name in seen if staged not in name}
            for name in theirs:  # somebody's, put there meanwhile
                bucket.put(f"{prefix}/{name}")
            bucket.put(f"{prefix}-too/data/clients-0001.jsonl")
        full(number)

    staged = ".staging/"
    broken(step)
    state, failed = run(jobs, bucket, out)
    prefix = failed.place.removeprefix(f"{bucket.url}/")
    assert (state, failed.state, failed.parts_done) == ("failed", "failed", failed.parts)
    assert len({name for name in seen if name.startswith(f"{prefix}/data/")}) == 2
    assert bucket.names(f"{prefix}/") == {f"{prefix}/{name}" for name in theirs}
    assert bucket.names(f"{prefix}.staging/")
    bucket.remove(*bucket.names(f"{prefix}/"))
    broken(lambda _number: None)
    assert again(jobs, failed) == "done"  # what its parts wrote was kept
    verify(bucket, prefix, tmp_path / "copy")
    assert bucket.names(f"{prefix}-too/") == {f"{prefix}-too/data/clients-0001.jsonl"}


@pytest.fixture
def left(
    jobs: Jobs, pair: Pair, bucket: Bucket, broken: Callable[[Step], None],
    monkeypatch: pytest.MonkeyPatch, s3: S3Server,
) -> Issued:  # fmt: skip
    """An export of which a half lies at its place: the bucket went away meanwhile."""

    def step(number: int) -> None:
        if number == 3:
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there

    broken(step)
    state, failed = run(jobs, bucket)
    assert (state, failed.state) == ("failed", "failed")
    monkeypatch.setattr(BucketPlace, "_take_over", TAKE_OVER)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    assert {name for name in bucket.names("chosen/") if "/data/" in name}
    return failed


def test_another_process_takes_it_away_when_the_bucket_is_there_again(
    left: Issued, settings: Settings, bucket: Bucket
) -> None:
    bucket.put("chosen/data/clients-0099.jsonl")
    other = open_services(settings)
    with clock.frozen(clock.now() + A_DAY), Jobs(settings, other) as jobs:
        assert jobs.exports.discard_left() == 1
        assert jobs.exports.get(SUITE, str(left.id)).files_deleted_at
    other.close()
    assert bucket.names() == {"chosen/data/clients-0099.jsonl"}


def test_a_later_export_at_the_place_stays_whole_when_the_half_one_is_removed(
    left: Issued, jobs: Jobs, bucket: Bucket, tmp_path: Path
) -> None:
    state, second = run(jobs, bucket)
    assert state == "done"
    whole = bucket.names("chosen/")
    with clock.frozen(clock.now() + A_DAY):
        assert jobs.exports.discard_left() == 1
    jobs.exports.remove(SUITE, str(left.id))
    assert bucket.names() == whole
    assert str(second.id) in verify(bucket, "chosen", tmp_path / "copy")


def test_nothing_is_removed_where_another_export_is_about_to_appear(
    left: Issued, jobs: Jobs, bucket: Bucket
) -> None:
    before = bucket.names()
    waiting, _ = jobs.exports.start(
        SUITE, out=f"{bucket.url}/chosen", formats=["jsonl"], datasets=DATASETS
    )
    with clock.frozen(clock.now() + A_DAY):
        assert jobs.exports.discard_left() == 0
        assert bucket.names() == before
        jobs.exports.remove(SUITE, str(waiting.id))
        assert jobs.exports.discard_left() == 2
    assert bucket.names() == set()


def test_a_whole_export_stays_though_its_record_says_that_it_failed(
    jobs: Jobs, pair: Pair, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_arguments: Any, **_named: Any) -> bool:
        raise CoachError("COACH-DB-001", reason="gone")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "finish", lost)
        state, failed = run(jobs, bucket)
    assert (state, failed.state) == ("failed", "failed")
    whole = bucket.names("chosen/")
    with clock.frozen(clock.now() + A_DAY):
        assert jobs.exports.discard_left() == 1
    assert bucket.names() == whole
    assert str(failed.id) in verify(bucket, "chosen", tmp_path / "copy")
    bucket.put("chosen/data/clients-0009.jsonl", Metadata={"coachops-export": failed.id.hex})
    assert again(jobs, failed) == "done"  # of other parts: the old manifest and files go first
    verify(bucket, "chosen", tmp_path / "again")
    assert bucket.names() == whole


def test_one_that_is_cancelled_while_it_is_published_leaves_nothing(
    jobs: Jobs, pair: Pair, bucket: Bucket, broken: Callable[[Step], None]
) -> None:
    bucket.put("chosen.staging/x/1/theirs")

    def step(number: int) -> None:
        if number == 2:  # by another process, which sees only what is there by now
            (running,) = jobs.exports.page(SUITE)
            jobs.exports.remove(SUITE, str(running.id))
            assert not bucket.names("chosen/")
            bucket.put("chosen/data/notes.txt")

    broken(step)
    state, cancelled = run(jobs, bucket)
    assert cancelled.state == "cancelled"
    assert state in {"done", "cancelled"}
    assert bucket.names() == {"chosen.staging/x/1/theirs", "chosen/data/notes.txt"}


def test_one_that_is_cancelled_when_it_is_whole_is_taken_away_by_whoever_cleans_up(
    jobs: Jobs, pair: Pair, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = BucketPlace.publish

    def died(place: BucketPlace, *arguments: Any) -> Any:
        publish(place, *arguments)
        assert "chosen/manifest.json" in bucket.names()
        (running,) = jobs.exports.page(SUITE)
        jobs.exports.registry.cancel(SUITE, str(running.id))
        raise CoachError("COACH-EXP-050", place="there", reason="killed")

    monkeypatch.setattr(BucketPlace, "publish", died)
    monkeypatch.setattr(coordinating, "_take_back", lambda *_: "cancelled")
    _, cancelled = run(jobs, bucket)
    assert cancelled.state == "cancelled"
    bucket.put("chosen/data/notes.txt")
    assert jobs.exports.discard_left() == 1
    assert bucket.names() == {"chosen/data/notes.txt"}


def test_what_died_publishing_is_taken_away_when_its_job_is_given_up(
    jobs: Jobs, pair: Pair, bucket: Bucket, broken: Callable[[Step], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    broken(full)
    monkeypatch.setattr(coordinating, "_take_back", lambda *_: "running")
    monkeypatch.setattr(workflow, "fail", lambda *_: None)
    _, running = run(jobs, bucket)
    assert running.state == "running"
    assert bucket.names("chosen/")
    jobs.exports.sweep(clock.now())
    assert jobs.exports.get(SUITE, str(running.id)).state == "failed"
    assert not bucket.names("chosen/")


def test_a_manifest_never_stands_beside_files_that_somebody_took_away(
    jobs: Jobs, pair: Pair, bucket: Bucket, broken: Callable[[Step], None]
) -> None:
    def step(number: int) -> None:
        if number == 3:
            bucket.remove(*(name for name in bucket.names("chosen/") if "coaches-" in name))

    broken(step)
    state, failed = run(jobs, bucket)
    assert (state, failed.state) == ("failed", "failed")
    assert failed.error is not None
    assert "was removed" in failed.error.message
    assert not bucket.names("chosen/")
