"""Exports in a bucket and in a folder that refuses: whole or not there, and taken up again."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.export import require_intact, verify_export
from coachops.export.issued import Issued, open_place
from coachops.export.issued.bucket import BucketPlace
from coachops.export.parts import write_part
from coachops.export.writers.output import Output
from coachops.jobs import Jobs, coordinating
from coachops.jobs.exports import SUITE
from coachops.jobs.ids import parse_job_id
from coachops.resilience import RetryPolicy
from tests.coaching.builders import Pair
from tests.jobs.parts import SQLITE
from tests.support.faults import long_too
from tests.support.s3 import Bucket, S3Server

EXPORT = uuid.UUID(int=7)
WRITE_PART = "coachops.jobs.coordinating.write_part"


def fetch(bucket: Bucket, export: Issued, folder: Path) -> Path:
    """The export as somebody has it who copied it from the bucket."""
    return bucket.fetch(export.place.removeprefix(f"{bucket.url}/"), folder)


def test_an_export_goes_into_the_bucket_whole_and_is_read_back_in_ranges(
    jobs: Jobs, pair: Pair, bucket: Bucket, tmp_path: Path, settings: Settings
) -> None:
    queued = jobs.enqueue_export(
        SYSTEM, datasets=["clients", "utterances"], formats=["jsonl", "parquet"], compression="gzip"
    )
    (row,) = jobs.run_inline([queued])
    assert row.state == "done", row.error
    export = jobs.export_of(queued)
    copy = fetch(bucket, export, tmp_path / "copy")
    require_intact(copy, verify_export(copy))
    prefix = export.place.removeprefix(f"{bucket.url}/")
    assert bucket.names() == {f"{prefix}/{entry['path']}" for entry in export.files}
    work = settings.home / "exports" / ".work"
    assert not work.exists() or list(work.iterdir()) == []
    for entry in export.files:
        data = b"".join(jobs.exports.read(export, entry["path"], 0, entry["bytes"]))
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        middle = b"".join(jobs.exports.read(export, entry["path"], 5, 9))
        assert middle == data[5:9]
    jobs.exports.remove(SUITE, str(export.id))
    assert bucket.names() == set()


@SQLITE
def test_folders_of_exports_are_closed_to_other_users_of_the_machine(
    jobs: Jobs, pair: Pair, tmp_path: Path, settings: Settings
) -> None:
    out = tmp_path / "elsewhere" / "today"
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], out=str(out))
    (row,) = jobs.run_inline([queued])
    assert row.state == "done", row.error
    staged = open_place(settings, "s3://a/b/of-today", EXPORT).work(1)
    for folder in (out, out / "data", out / "schemas", staged, staged / "data", staged.parent):
        assert folder.stat().st_mode & 0o077 == 0, folder


@SQLITE
@pytest.mark.parametrize("name", ["t*y", "t?day", "[tm]oday"])
def test_a_place_whose_name_looks_like_a_pattern_takes_nothing_of_others_away(
    settings: Settings, bucket: Bucket, tmp_path: Path, name: str
) -> None:
    others = tmp_path / f".today.partial-{EXPORT.hex}-1"
    others.mkdir()
    kept = {"today/manifest.json", "today.staging/1/data/a.csv", "today/data/a.csv"}
    for key in kept:
        bucket.put(key)
    folder = open_place(settings, str(tmp_path / name), EXPORT)
    own = folder.work(1)
    folder.delete()
    assert list(tmp_path.glob(".*")) == [others]
    assert not own.exists()
    place = open_place(settings, f"{bucket.url}/{name}", EXPORT)
    (place.work(1) / "data" / "a.csv").write_bytes(b"ours")
    place.keep(1, ["data/a.csv"])
    assert bucket.names() == kept | {f"{name}.staging/{EXPORT.hex}/1/data/a.csv"}
    bucket.put(f"{name}/manifest.json")
    place.delete()
    assert bucket.names() == kept


@SQLITE
def test_a_bucket_that_goes_half_way_leaves_no_export_and_the_job_goes_on_later(
    jobs: Jobs, pair: Pair, bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch,
    services: Services, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(coordinating, "_STORAGE", RetryPolicy(2, 0.0, 0.0, 5.0))
    kept: list[str] = []
    keep = BucketPlace.keep

    def until_it_goes(self: BucketPlace, generation: int, files: list[str]) -> None:
        if len(kept) >= 2:
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
        keep(self, generation, files)
        kept.extend(files)

    monkeypatch.setattr(BucketPlace, "keep", until_it_goes)
    queued = jobs.enqueue_export(
        SYSTEM, datasets=["coaches", "clients", "sessions", "utterances"], formats=["jsonl"]
    )
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-050")
    failed = jobs.export_of(queued)
    assert failed.error is not None
    assert failed.error.code == "COACH-EXP-050"
    assert failed.place in failed.error.message
    assert "no connection" in failed.error.message
    assert 0 < failed.parts_done < failed.parts
    monkeypatch.setattr(BucketPlace, "keep", keep)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    prefix = failed.place.removeprefix(f"{bucket.url}/")
    assert not any(name.startswith(f"{prefix}/") for name in bucket.names())
    again = jobs.exports.again(SUITE, str(failed.id))
    (row,) = jobs.run_inline([jobs.exports.enqueue(again)])
    assert row.state == "done", row.error
    copy = fetch(bucket, jobs.export_of(queued), tmp_path / "copy")
    require_intact(copy, verify_export(copy))


@SQLITE
def test_a_bucket_that_is_not_there_is_named(
    services: Services, pair: Pair, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinating, "_STORAGE", RetryPolicy(1, 0.0, 0.0, 5.0))
    queued = jobs.enqueue_export(SYSTEM, datasets=["coaches"], out="s3://no-such-bucket/x")
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-050")
    error = jobs.export_of(queued).error
    assert error is not None
    assert "no such bucket" in error.message


@SQLITE
def test_a_disk_that_is_full_publishes_nothing_and_the_job_goes_on_when_there_is_room(
    jobs: Jobs, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Output.__init__

    def full(self: Output, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        if self.dataset == "utterances":
            self._file.close()
            self._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 closed by it

    monkeypatch.setattr(Output, "__init__", full)
    out = tmp_path / "elsewhere" / "today"
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], out=str(out))
    (row,) = jobs.run_inline([queued])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-006")
    failed = jobs.export_of(queued)
    assert failed.error is not None
    assert "No space left" in failed.error.message
    assert not out.exists()
    monkeypatch.setattr(Output, "__init__", begin)
    (again,) = jobs.run_inline([jobs.retry(SYSTEM, queued)])
    assert again.state == "done", again.error
    require_intact(out, verify_export(out))
    assert list(out.parent.glob(".*")) == []


@pytest.fixture
def half(jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Issued]:
    """Exports to that place, which fails at the utterances."""

    def full(database: Any, plan: Any, part: Any, *arguments: Any, **named: Any) -> Any:
        if part.dataset == "utterances":
            raise CoachError("COACH-EXP-006", path="there", reason="No space left on device")
        return write_part(database, plan, part, *arguments, **named)

    def made(out: str) -> Issued:
        with monkeypatch.context() as patch:
            patch.setattr(WRITE_PART, full)
            queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], out=out)
            (row,) = jobs.run_inline([queued])
        assert (row.state, row.error_code) == ("failed", "COACH-EXP-006")
        return jobs.export_of(queued)

    return made


@SQLITE
@pytest.mark.parametrize("kind", long_too(["folder"], ["bucket"]))
def test_half_an_export_at_a_chosen_place_goes_on_for_a_day_and_is_removed_then(
    jobs: Jobs, half: Callable[[str], Issued], bucket: Bucket, tmp_path: Path, kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    there = tmp_path / "there"
    out = str(there / "today") if kind == "folder" else f"{bucket.url}/there/today"

    def lying() -> set[str]:
        files = there.rglob("*") if there.exists() else ()
        return bucket.names() | {path.name for path in files if path.is_file()}

    failed = half(out)
    others = there / f".today.partial-{uuid.UUID(int=8).hex}" / "theirs"  # an export made beside it
    others.parent.mkdir(parents=True)
    others.touch()
    bucket.put("there/today.staging/x/1/theirs")
    written = lying()
    assert 0 < failed.parts_done < failed.parts
    assert len(written) >= failed.parts_done + 2
    assert jobs.exports.discard_left() == 0
    assert lying() == written

    parts: list[int] = []

    def counted(database: Any, plan: Any, part: Any, *arguments: Any, **named: Any) -> Any:
        parts.append(part.number)
        return write_part(database, plan, part, *arguments, **named)

    monkeypatch.setattr(WRITE_PART, counted)
    with clock.frozen(clock.now() + dt.timedelta(days=1, minutes=1)):
        assert jobs.exports.discard_left() == 1
        assert jobs.exports.discard_left() == 0
        assert lying() == {"theirs", "there/today.staging/x/1/theirs"}
        gone = jobs.exports.get(SUITE, str(failed.id))
        assert (gone.state, gone.parts_done) == ("failed", 0)
    (row,) = jobs.run_inline([jobs.retry(SYSTEM, f"export/{failed.key}/1")])
    assert row.state == "done", row.error
    assert len(parts) == failed.parts
    assert jobs.exports.discard_left() == 0
    copy = there / "today" if kind == "folder" else fetch(bucket, failed, tmp_path / "copy")
    require_intact(copy, verify_export(copy))


@SQLITE
def test_a_failed_export_that_is_started_again_in_time_writes_only_what_is_missing(
    jobs: Jobs, half: Callable[[str], Issued], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = half(str(tmp_path / "there" / "today"))
    parts: list[str] = []

    def counted(database: Any, plan: Any, part: Any, *arguments: Any, **named: Any) -> Any:
        parts.append(part.dataset)
        return write_part(database, plan, part, *arguments, **named)

    monkeypatch.setattr(WRITE_PART, counted)
    (row,) = jobs.run_inline([jobs.retry(SYSTEM, f"export/{failed.key}/1")])
    assert row.state == "done", row.error
    assert "utterances" in parts
    assert len(parts) == failed.parts - failed.parts_done < failed.parts


@SQLITE
def test_a_cancelled_export_leaves_nothing_and_takes_nothing_of_a_later_one_at_its_place(
    jobs: Jobs, half: Callable[[str], Issued], tmp_path: Path
) -> None:
    out = tmp_path / "there" / "today"
    first, second = half(str(out)), half(str(out))
    jobs.exports.remove(SUITE, str(first.id))
    (folder,) = out.parent.iterdir()
    assert second.id.hex in folder.name
    jobs.exports.registry.cancel(SUITE, str(second.id))  # and the process ended there
    assert jobs.exports.discard_left() == 2
    assert list(out.parent.iterdir()) == []


@SQLITE
def test_a_folder_that_may_not_be_read_keeps_no_other_half_export(
    jobs: Jobs, half: Callable[[str], Issued], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all, closed = tmp_path / "open", tmp_path / "closed"
    half(str(open_to_all / "today"))
    last = half(str(closed / "today"))
    entries = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder == closed:
            raise PermissionError(13, "Permission denied")
        return entries(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with clock.frozen(clock.now() + dt.timedelta(days=1, minutes=1)):
        assert jobs.exports.discard_left() == 1
    assert list(entries(open_to_all)) == []
    with pytest.raises(CoachError) as caught:
        jobs.exports.remove(SUITE, str(last.id))
    assert caught.value.code == "COACH-EXP-006"
    assert list(entries(closed)) != []


@SQLITE
def test_a_bucket_that_is_away_is_asked_once_a_round_and_keeps_no_folder_from_being_cleaned(
    jobs: Jobs, half: Callable[[str], Issued], bucket: Bucket, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    half(str(tmp_path / "there" / "today"))
    for name in ("a", "b"):
        half(f"{bucket.url}/there/{name}")
    asked: list[str] = []

    def discard(place: BucketPlace) -> bool:
        asked.append(place.url)
        raise CoachError("COACH-EXP-050", place=place.url, reason="no connection in time")

    monkeypatch.setattr(BucketPlace, "discard", discard)
    with clock.frozen(clock.now() + dt.timedelta(days=1, minutes=1)):
        assert jobs.exports.discard_left() == 1
    assert len(asked) == 1
    assert list((tmp_path / "there").iterdir()) == []


@SQLITE
def test_a_part_that_is_done_after_its_export_failed_stays_for_the_next_try(
    jobs: Jobs, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the record counts it, and the next try finds that it is gone."""
    queued = jobs.enqueue_export(SYSTEM, formats=["jsonl"], out=str(tmp_path / "there" / "today"))
    export = jobs.export_of(queued)

    def late(*arguments: Any, **named: Any) -> Any:
        result = write_part(*arguments, **named)
        jobs.exports.registry.fail(export.id, CoachError("COACH-EXP-006", path="x", reason="full"))
        return result

    monkeypatch.setattr(WRITE_PART, late)
    jobs.run_inline([queued])
    monkeypatch.setattr(WRITE_PART, write_part)
    assert jobs.export_of(queued).parts_done
    next_run = parse_job_id(queued).next()
    arguments = jobs.queue.arguments(queued)
    (row,) = jobs.run_inline([jobs.queue.enqueue_as(next_run, *arguments)])
    assert row.state == "done", row.error
    assert jobs.export_of(queued).state == "ready"


@SQLITE
def test_files_of_a_failed_export_that_were_deleted_are_written_again(
    jobs: Jobs, pair: Pair, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    queued = jobs.enqueue_export(SYSTEM, datasets=["coaches", "clients"], formats=["jsonl"])
    with monkeypatch.context() as patch:
        patch.setattr(coordinating, "publish", _refuses)
        jobs.run_inline([queued])
    later = clock.now() + dt.timedelta(days=settings.export_days, minutes=1)
    with clock.frozen(later):
        assert jobs.exports.delete_old() == 1
        failed = jobs.export_of(queued)
        assert (failed.state, failed.parts_done) == ("failed", 0)
        (row,) = jobs.run_inline([jobs.retry(SYSTEM, queued)])
        assert row.state == "done", row.error
        ready = jobs.export_of(queued)
        assert ready.expires_at == later + dt.timedelta(days=settings.export_days)
        assert ready.files_deleted_at is None


def _refuses(*_: object) -> Any:
    raise CoachError("COACH-EXP-006", path="there", reason="No space left on device")


@SQLITE
def test_an_export_never_mixes_with_another_one_below_its_prefix(
    jobs: Jobs, pair: Pair, bucket: Bucket, tmp_path: Path
) -> None:
    out = f"{bucket.url}/mine"
    few = ["coaches", "clients"]
    first, _ = jobs.exports.start(SUITE, out=out, formats=["jsonl", "csv"], datasets=few)
    with pytest.raises(CoachError, match="COACH-EXP-003"):  # they would write the same files
        jobs.exports.start(SUITE, out=out, formats=["jsonl"], datasets=few)
    assert jobs.run_inline([jobs.exports.enqueue(first)])[0].state == "done"
    second, _ = jobs.exports.start(SUITE, out=out, formats=["jsonl"], datasets=few)
    (row,) = jobs.run_inline([jobs.exports.enqueue(second)])
    assert (row.state, row.error_code) == ("failed", "COACH-EXP-003")
    copy = fetch(bucket, first, tmp_path / "copy")
    require_intact(copy, verify_export(copy))
    assert str(first.id) in (copy / "manifest.json").read_text()
