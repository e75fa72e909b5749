"""Names of the log's files, gaps between them, and which of them a place may forget."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.backup.model import Manifest, Snapshot
from coachops.backup.place import Entry
from coachops.backup.postgres.archive import Archive
from coachops.backup.postgres.wal import SEGMENT_BYTES, Segment, gaps, parse_lsn
from coachops.core import clock

SIZES = st.sampled_from([1 << 20, SEGMENT_BYTES, 1 << 30])
T0 = dt.datetime(2026, 11, 1, tzinfo=clock.UTC)


@given(st.integers(0, 1 << 34), st.integers(1, 0xFFFF_FFFF), SIZES)
def test_a_name_is_read_as_it_was_written(position: int, timeline: int, size: int) -> None:
    position %= (1 << 64) // size
    segment = Segment(position, timeline)
    assert Segment.parse(segment.name(size), size) == segment


@given(st.text("0123456789ABCDEF.", max_size=30))
def test_what_is_no_segment_is_told_from_one(text: str) -> None:
    parsed = Segment.parse(text)
    assert parsed is None or parsed.name() == text


@given(st.integers(1, 60), st.sets(st.integers(0, 59)), st.integers(0, 1 << 20))
def test_gaps_are_what_was_taken_out(count: int, taken: set[int], first: int) -> None:
    names = [Segment(first + i, 1 + i // 7).name() for i in range(count)]
    kept = [name for i, name in enumerate(names) if i not in taken]
    found = gaps(kept, names[0], names[-1])
    positions = {segment.position - first for name in found if (segment := Segment.parse(name))}
    assert positions == {i for i in taken if i < count}


def test_a_promotion_is_no_gap() -> None:
    names = ["000000010000000000000004", "000000020000000000000005", "00000002.history"]
    assert gaps(names, "000000010000000000000004") == []
    assert gaps(names[:1], "000000010000000000000004", "000000020000000000000006") == [
        "000000010000000000000005",
        "000000010000000000000006",
    ]


def test_a_gap_must_be_looked_for_between_segments() -> None:
    with pytest.raises(ValueError, match="no WAL segment"):
        gaps([], "00000002.history")


def test_positions_are_read() -> None:
    assert parse_lsn("16/B374D848") == 0x16_B374D848


def manifest(day: int, first: int, last: int) -> Manifest:
    made = T0 + dt.timedelta(days=day)
    return Manifest(
        id=f"{made:%Y%m%dT%H%M%SZ}-{'0' * 12}",
        installation="one",
        engine="basebackup",
        made_at=made,
        finished_at=made,
        snapshot=Snapshot(revision="", tables={}, heartbeat=None),
        files=(),
        recipients=(),
        engine_data={"first": Segment(first, 1).name(), "segment": Segment(last, 1).name()},
    )


def archive(positions: range | set[int]) -> Archive:
    return Archive.of(
        Entry(f"wal/1/{Segment(i, 1).name()}.zst.age", 1, T0 + dt.timedelta(hours=i))
        for i in positions
    )


def test_the_log_is_whole_up_to_its_first_gap() -> None:
    listed = archive(set(range(20)) - {12})
    assert listed.whole_until(manifest(0, 3, 5)) == T0 + dt.timedelta(hours=11)
    assert listed.whole_to(manifest(0, 3, 5)) == Segment(11, 1).name()
    assert listed.missing(manifest(0, 3, 5)) == [Segment(12, 1).name()]
    assert listed.missing_for_snapshot(manifest(0, 3, 5)) == []
    assert listed.missing_for_snapshot(manifest(0, 11, 13)) == [Segment(12, 1).name()]


def test_files_that_are_being_written_are_not_there_yet() -> None:
    name = Segment(7, 1).name()
    assert Archive.of([Entry(f"a/{name}-0ec5.zst.pgbackrest.tmp", 1, T0)]).files == ()
    assert Archive.of([Entry(f"a/{name}.00000028.backup", 1, T0)]).files == ()


def test_of_old_backups_only_the_log_to_their_snapshot_is_kept() -> None:
    old, young, newest = manifest(0, 2, 4), manifest(20, 50, 51), manifest(25, 70, 71)
    listed = archive(range(80))
    since = T0 + dt.timedelta(days=18)
    gone = {name[6:30] for name in listed.not_needed([old, young, newest], since)}
    kept = {Segment(i, 1).name() for i in {2, 3, 4, *range(50, 80)}}
    assert gone == {Segment(i, 1).name() for i in range(80)} - kept


def test_nothing_is_forgotten_where_nothing_is_kept_and_never_behind_the_newest() -> None:
    listed = archive(range(9))
    assert listed.not_needed([], T0) == []
    late = T0 + dt.timedelta(days=365)
    assert len(listed.not_needed([manifest(0, 5, 6)], late)) == 5
