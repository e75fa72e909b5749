"""Independent accounting: what a file holds, counted without the package's own parsers."""

from __future__ import annotations

import re
from collections import Counter

from coachops.coaching.transcripts import ParsedTranscript

_WORD = re.compile(r"[^\W\d_]+")


def words_of(text: str) -> Counter[str]:
    """Letters only, so that times and punctuation do not count."""
    return Counter(_WORD.findall(text))


def timed_candidates(text: str) -> list[int]:
    """Line numbers of everything in WebVTT or SRT that looks like a cue.

    Every line with an arrow, and the first line of every block that has none and is no header,
    comment, style or bare number.
    """
    found: list[int] = []
    blocks: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip():
            blocks[-1].append((number, line.strip()))
        else:
            blocks.append([])
    for block in filter(None, blocks):
        arrows = [number for number, line in block if "-->" in line]
        first = block[0][1]
        ours = first.startswith(("WEBVTT", "NOTE", "STYLE", "REGION")) or first.isdecimal()
        found += arrows or ([] if ours else [block[0][0]])
    return found


def assert_timed_conservation(text: str, parsed: ParsedTranscript) -> None:
    """Each candidate is imported or reported, never both, never neither, and nothing else is."""
    imported = {cue.line for cue in parsed.cues}
    reported = [report.line for report in parsed.unparsed]
    assert not imported & set(reported)
    assert len(reported) == len(set(reported))
    assert sorted(imported | set(reported)) == timed_candidates(text)


def assert_text_conservation(text: str, parsed: ParsedTranscript) -> None:
    """Each word of the file stands in a cue, its label, a reported line or a remark, once."""
    lines = re.split(r"\r\n|\r|\n", text)
    held: Counter[str] = Counter()
    for cue in parsed.cues:
        held += words_of(cue.text)
        if cue.speaker_label and not cue.inherited:
            held += words_of(cue.speaker_label)
    for line in {report.line for report in parsed.unparsed}:
        held += words_of(lines[line - 1])
    for line in {remark.line for remark in parsed.remarks}:
        held += words_of(lines[line - 1])
    assert held == words_of(text)
