"""WebVTT and SRT (and DOCX written in that way): blocks of a time line and the words below it.

The reading follows the WebVTT parser of the W3C where it decides what starts a cue (a line with an
arrow in first or second place of a block, or in the middle of the words), but never drops silently:

- a time line that cannot be true makes the block one reported candidate;
- words without a time line are one reported candidate per block;
- a line with an arrow inside the words that is no time line is reported when it holds no speech,
  and stays in the words when it does ("we went from A --> B").

Speakers come from voice tags (`<v Anna>`), from the id line as Webex writes it, from a name on a line
of its own (older Teams documents), or from `Name: words` (Zoom). One cue with several voices becomes
several candidates with the same line and times.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from coachops.coaching.transcripts import labels
from coachops.coaching.transcripts.collector import Collector
from coachops.coaching.transcripts.header_lines import is_heading, is_notice
from coachops.coaching.transcripts.model import Reason
from coachops.coaching.transcripts.timing import (
    Span,
    is_arrow_debris,
    looks_like_timing,
    timing_line,
)

Line = tuple[int, str]

_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?(?:[ \t](?P<name>[^<>]*))?>|</v>", re.IGNORECASE)
# Tags of WebVTT and of the HTML that subtitle tools write. Others ("<inaudible>") are words.
_TAG = re.compile(
    r"</?(?:c|i|b|u|s|em|strong|ruby|rt|lang|font|span|p|div|br|a|script|style|img|h[1-6])"
    r"(?:[.\s/][^<>]*)?>|<[0-9][0-9:.]*>|\{\\[^{}]*\}",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_WEBEX_ID = re.compile(r'[0-9]+\s+"(?P<name>[^"]{1,80})"\s*(?:\([0-9]*\))?')
_DASH = re.compile(r"^\s*[-\u2013\u2014]\s*")


@dataclass(slots=True)
class _Block:
    """One cue as it stands in the file."""

    line: int
    span: Span
    raw: str
    label: str | None = None
    number: int | None = None
    words: list[Line] = field(default_factory=list)


def parse(lines: Iterable[Line], into: Collector, *, webvtt: bool) -> None:
    """Read all blocks into the collector.

    Parameters:
        lines: number (from 1) and text; blank lines separate blocks.
        webvtt: the header line `WEBVTT`, `NOTE`, `STYLE` and `REGION` have their meaning.
    """
    reader = _Blocks(into, webvtt=webvtt)
    for number, line in lines:
        reader.take(number, line)
    reader.close()
    _emit(reader.blocks, into)


class _Blocks:
    """Splits lines into blocks; reports what belongs to none."""

    def __init__(self, into: Collector, *, webvtt: bool) -> None:
        self.into = into
        self.webvtt = webvtt
        self.blocks: list[_Block] = []
        self.open: _Block | None = None
        self.waiting: list[Line] = []
        self.header = webvtt
        self.first = True

    def take(self, number: int, line: str) -> None:
        """The next line of the file."""
        if not line or line.isspace():
            self.close()
            return
        if self.header and self._in_header(number, line):
            return
        if "-->" in line or looks_like_timing(line):
            if self.open is None or looks_like_timing(line):
                self._start(number, line)
                return
            if is_arrow_debris(line):
                self.into.report(number, Reason.NOT_A_CUE, line)
                return
        (self.waiting if self.open is None else self.open.words).append((number, line))

    def close(self) -> None:
        """The end of a block."""
        self.header = False
        self.open = None
        self._stray(self.waiting)
        self.waiting = []

    def _in_header(self, number: int, line: str) -> bool:
        """Take a line of the header; False where none is, or where it ends without a blank line."""
        first, self.first = self.first, False
        starts = line.startswith("WEBVTT")
        if (first and not starts) or (not first and "-->" in line):
            self.header = False
            return False
        if not first:
            self.into.remark(number, line)
        elif title := line.removeprefix("WEBVTT").strip(" \t-\u2013:"):
            self.into.title = self.into.title or title
            self.into.remark(number, title)
        return True

    def _start(self, number: int, line: str) -> None:
        span, rest = timing_line(line) or (Span(problem=Reason.BAD_TIME), "")
        block = _Block(number, span, line)
        self._id_line(block)
        if rest:
            block.words.append((number, rest))
        self.blocks.append(block)
        self.into.room(len(self.blocks))
        self.open = block

    def _id_line(self, block: _Block) -> None:
        """The line above the time line names or numbers the cue."""
        before = self.waiting
        if self.open is not None:
            self._number_without_blank(block)
        elif before:
            text = before[-1][1].strip()
            if text.isdecimal() and len(text) <= 9:
                block.number = int(text)
            elif len(before) > 1:
                self._stray(before)
                self.waiting = []
                return
            elif match := _WEBEX_ID.fullmatch(text):
                block.label = match["name"]
            elif " " in text or not self.webvtt:
                self.into.remark(*before[-1])
            self._stray(before[:-1])
        self.waiting = []

    def _number_without_blank(self, block: _Block) -> None:
        """SRT without blank lines: the last "words" of the cue before are the next number."""
        words, previous = self.open.words if self.open else [], self.open
        if previous is None or not words or not (text := words[-1][1].strip()).isdecimal():
            return
        if len(text) <= 9 and previous.number is not None and int(text) == previous.number + 1:
            block.number = int(text)
            words.pop()

    def _stray(self, lines: list[Line]) -> None:
        """A block without a time line: a comment, a number, or words to report."""
        if not lines:
            return
        number, first = lines[0]
        comment = self.webvtt and (
            first.split(maxsplit=1)[0] == "NOTE"
            or (not self.blocks and first.strip() in {"STYLE", "REGION"})
        )
        lone_number = len(lines) == 1 and first.strip().isdecimal()
        if (
            comment
            or lone_number
            or all(is_notice(text) or (not self.blocks and is_heading(text)) for _, text in lines)
        ):
            for line in lines:
                self.into.remark(*line)
        else:
            self.into.report(number, Reason.NO_TIME, "\n".join(text for _, text in lines))


def _emit(blocks: list[_Block], into: Collector) -> None:
    """Give each voice of each block to the collector."""
    own_line = _names_on_own_line(blocks)
    prefixed = (
        frozenset[str]()
        if own_line or any(_VOICE.search(text) for block in blocks for _, text in block.words)
        else labels.known_labels(
            _DASH.sub("", _plain(text)) for block in blocks for _, text in block.words
        )
    )
    last: str | None = None
    for block in blocks:
        raw = "\n".join(
            [block.raw, *(text for number, text in block.words if number != block.line)]
        )
        for label, words in _voices(block, own_line=own_line, prefixed=prefixed):
            carried = label is None and bool(prefixed)
            last = label or last
            into.candidate(
                block.line,
                last if carried else label,
                block.span,
                words,
                raw=raw,
                inherited=carried,
            )
            if block.span.problem is not None:
                break  # the block is one candidate: its time is what is wrong


def _voices(
    block: _Block, *, own_line: bool, prefixed: frozenset[str]
) -> Iterator[tuple[str | None, str]]:
    """Label and words of each voice of a block; at least one."""
    lines = [text for _, text in block.words]
    if own_line and len(lines) > 1:
        yield _plain(lines[0]).strip(), _plain(" ".join(lines[1:]))
        return
    if prefixed:
        yield from _prefixed_voices(lines, prefixed)
        return
    text = "\n".join(lines)
    if _VOICE.search(text) is None:
        yield block.label, _plain(text)
        return
    yield from _tagged_voices(text, block.label)


def _tagged_voices(text: str, label: str | None) -> Iterator[tuple[str | None, str]]:
    """`<v Anna>Hello <v Ben>Hi`: words outside any tag have no voice of their own."""
    voices: list[tuple[bool, str | None, str]] = []
    opened, at = False, 0
    for match in _VOICE.finditer(text):
        voices.append((opened, label, _plain(text[at : match.start()])))
        at, opened = match.end(), not match.group().startswith("</")
        label = (html.unescape(match["name"] or "").strip() or None) if opened else None
    voices.append((opened, label, _plain(text[at:])))
    spoken = [(label, words) for opened, label, words in voices if opened or words.strip()]
    yield from spoken or [(None, "")]


def _prefixed_voices(
    lines: list[str], prefixed: frozenset[str]
) -> Iterator[tuple[str | None, str]]:
    """`Name: words` at the start of any line of the cue opens a voice."""
    label: str | None = None
    words: list[str] = []
    for line in lines:
        plain = _plain(line)
        parts = labels.split_label(_DASH.sub("", plain))
        if parts is not None and parts[0] in prefixed:
            if label is not None or any(w.strip() for w in words):
                yield label, " ".join(words)
            label, words = parts[0], [parts[1]]
        else:
            words.append(plain)
    yield label, " ".join(words)


def _names_on_own_line(blocks: list[_Block]) -> bool:
    """Whether nearly every block starts with a line that is nothing but one of a few names."""
    firsts: Counter[str] = Counter()
    timed = 0
    for block in blocks:
        if block.words:
            timed += 1
            if len(block.words) > 1 and labels.name_like(block.words[0][1].strip()):
                firsts[block.words[0][1].strip()] += 1
    return (
        timed >= 2
        and sum(firsts.values()) >= 0.9 * timed
        and len(firsts) <= max(2, timed // 3)
        and not any(labels.is_opener(name) for name in firsts)
    )


def _plain(text: str) -> str:
    """Words without tags and entities."""
    if "<" in text or "{" in text:
        text = _TAG.sub("", text)
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    return text
