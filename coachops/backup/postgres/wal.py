"""Names of WAL files: their order, and the gaps between them.

A segment's name is three numbers of eight hexadecimal digits: timeline, and the position in the
log in units of 4 GiB and of one segment (PostgreSQL: `src/include/access/xlog_internal.h`). A change of
timeline does not interrupt the positions, so a gap is a position that no timeline has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SEGMENT_BYTES = 16 * 1024 * 1024
"""Size of a segment unless `initdb --wal-segsize` said otherwise."""

_NAME = re.compile(r"[0-9A-F]{24}")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A WAL file.

    Attributes:
        position: its number in the log, from 0, whatever the timeline.
        timeline: from 1; grows by every promotion.
    """

    position: int
    timeline: int

    @classmethod
    def parse(cls, name: str, size: int = SEGMENT_BYTES) -> Segment | None:
        """The segment of that file name; None for other files (history, backup labels)."""
        if not _NAME.fullmatch(name):
            return None
        per_log = 0x1_0000_0000 // size
        timeline, log, segment = (int(name[at : at + 8], 16) for at in (0, 8, 16))
        if segment >= per_log:
            return None
        return cls(log * per_log + segment, timeline)

    def name(self, size: int = SEGMENT_BYTES) -> str:
        """The file's name."""
        per_log = 0x1_0000_0000 // size
        return f"{self.timeline:08X}{self.position // per_log:08X}{self.position % per_log:08X}"


def parse_lsn(text: str) -> int:
    """The byte position of `16/B374D848`."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def gaps(
    names: Iterable[str], first: str, last: str | None = None, size: int = SEGMENT_BYTES
) -> list[str]:
    """Segments that are missing from `first` on, as names on the timeline before the gap.

    Parameters:
        names: file names of an archive, in any order; what is no segment is passed over.
        first: the oldest segment that a restore needs.
        last: the newest that must be there; None: the newest that is.
        size: bytes of a segment.
    """
    begin, end = Segment.parse(first, size), Segment.parse(last, size) if last else None
    if begin is None or (last and end is None):
        raise ValueError(f"no WAL segment: {first} {last}")
    found = (Segment.parse(name, size) for name in names)
    there = {
        segment.position: segment.timeline
        for segment in sorted(segment for segment in found if segment is not None)
    }
    stop = end.position if end else max((*there, begin.position))
    timeline, missing = begin.timeline, []
    for position in range(begin.position, stop + 1):
        if position in there:
            timeline = there[position]
        else:
            missing.append(Segment(position, timeline).name(size))
    return missing
