"""Plain text, and DOCX and Markdown as lines: who speaks stands before the words or above them.

Styles, found from the file itself (they may be mixed):

- `Anna: words` · `Anna (00:12): words` · `[00:12:03] Anna: words` · `00:00:03 Anna: words`
- a line of its own above the words: `Anna  0:03` (Otter, Teams) · `00:00:03 Anna` · `Anna:`
- `[00:12] words` without a speaker
- no speakers and no times at all: each line is a cue (notes)

A line that opens no turn continues the turn before. Before the first turn, a title, date or notice is
a remark and everything else is reported; a turn whose time cannot be true is reported, and so is each
line that continues it. Blank lines mean nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from coachops.coaching.transcripts import labels
from coachops.coaching.transcripts.collector import Collector, one_line
from coachops.coaching.transcripts.header_lines import is_heading, is_notice, title_of
from coachops.coaching.transcripts.model import LIMITS, Reason
from coachops.coaching.transcripts.timing import UNTIMED, Span, clock_span

Line = tuple[int, str]
Lines = Callable[[], Iterable[Line]]

_TIME = (
    r"[0-9]{1,18}:[0-9]{1,3}(?::[0-9]{1,3})?(?:[.,][0-9]{1,3})?(?:\s?[AaPp]\.?[Mm]\.?(?![A-Za-z]))?"
)
_RANGE = rf"(?P<a>{_TIME})(?:\s*(?:-->|-|\u2013|\u2014|to|bis)\s*(?P<b>{_TIME}))?"
_LEAD = re.compile(
    rf"(?:(?P<open>[\[(])\s*{_RANGE}\s*[\])]|{_RANGE.replace('<a>', '<c>').replace('<b>', '<d>')})"
    r"(?P<rest>(?:\s*[-\u2013\u2014|:]\s+|\s+|(?<=[\])])|$).*)",
    re.DOTALL,
)
_TRAIL = re.compile(
    rf"(?P<label>[^:\uff1a\t]{{1,60}}?)(?P<gap>\s{{0,9}}[|,\u2013\u2014-]\s{{0,9}}|\s{{1,40}}|(?=[\[(]))"
    rf"(?:(?P<open>[\[(])\s*{_RANGE}\s*[\])]|{_RANGE.replace('<a>', '<c>').replace('<b>', '<d>')})"
    r"\s*(?P<colon>[:\uff1a]?)(?P<words>\s.*|$)",
    re.DOTALL,
)
_BROKEN_LEAD = re.compile(
    r"[\[(](?P<inner>[^\])]{0,30}[:.][^\])]{0,30})[\])]\s*(?P<rest>.+)", re.DOTALL
)
_BULLET = re.compile(r"^(?:[-*•·]\s+|[0-9]{1,3}[.)]\s+)")
_BOLD = re.compile(r"(\*\*|__)(.{1,80}?)\1")
_DATED = re.compile(r"^([\[(]?)20[0-9]{2}-[0-9]{2}-[0-9]{2}[ T,]\s?(?=[0-9]{1,2}:[0-9]{2})")
_HEAD_CHARACTERS = 4096


@dataclass(slots=True)
class _Head:
    """How a turn opens: the forms are `colon` (words follow), `lead`, `trail` (name and time)."""

    form: str
    label: str | None
    span: Span
    words: str
    marked: bool = True


@dataclass(slots=True)
class _Turn:
    line: int
    label: str | None
    span: Span
    raw: str
    words: list[str] = field(default_factory=list)
    size: int = 0
    inherited: bool = False


def has_turns(lines: Lines) -> bool:
    """Whether at least two lines open a turn: the text is clearly a conversation."""
    style = _Style(lines)
    opened = 0
    for _, line in lines():
        opened += style.head(_bare(line)) is not None
        if opened >= 2:
            return True
    return False


def parse(lines: Lines, into: Collector) -> bool:
    """Read all turns into the collector; False when the text names no speaker and no time.

    Parameters:
        lines: gives number and text of each line, from the start each time it is called.
    """
    style = _Style(lines)
    if style.empty:
        parse_notes(lines(), into)
        return False
    _Turns(style, into).read(lines())
    return True


def parse_notes(lines: Iterable[Line], into: Collector) -> None:
    """Each line becomes a cue without a speaker; headings and dates are remarks."""
    first = True
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        heading = text.startswith("#") or is_notice(text) or (first and is_heading(text))
        if heading and text.lstrip("# "):
            into.title = into.title or title_of(text)
            into.remark(number, text)
        elif heading:
            into.remark(number, text)
        else:
            into.candidate(number, None, UNTIMED, _BULLET.sub("", text, count=1), raw=text)
        first = first and heading


class _Style:
    """What one look over the file tells about how it marks turns."""

    def __init__(self, lines: Lines) -> None:
        colon: Counter[str] = Counter()
        trail: Counter[str] = Counter()
        lead: Counter[str] = Counter()
        led = marked = total = 0
        for _, raw in lines():
            line = _bare(raw)
            if not line:
                continue
            total += 1
            head = line[:_HEAD_CHARACTERS]
            rest = head
            if match := _LEAD.fullmatch(head):
                led += 1
                marked += match["open"] is not None
                rest = _rest(match)
                if ":" not in rest and labels.name_like(rest):
                    lead[rest] += 1
            if match := _TRAIL.fullmatch(rest):
                label = match["label"].strip()
                if labels.name_like(label) or labels.is_role(label):
                    alone = not match["words"].strip() and " " in label
                    trail[label] += 2 if alone or _is_set_apart(match) else 1
                    continue
            if (parts := labels.split_label(rest)) is not None:
                colon[parts[0]] += 1
        named = labels.accepted(colon + trail)
        # A lone "Speaker 10:30" could be speech; a name that recurs with a time is not.
        self.colon = frozenset(name for name in named if colon[name])
        self.trail = frozenset(name for name in named if trail[name] > 1 or name in self.colon)
        self.lead = frozenset(
            name
            for name in labels.accepted(lead)
            if lead[name] > 1 or name in self.colon or name in self.trail or labels.is_role(name)
        )
        above = sum(lead.values()) >= 0.8 * led and led <= 0.6 * total
        if above:  # nearly every time line is time and name, and other lines stand between
            self.lead |= labels.accepted(lead)
        elif sum(lead[name] for name in self.lead) < 0.8 * led:
            self.lead = self.colon | self.trail
        self.names = self.colon | self.trail | self.lead
        self.timed_lines = marked > 0 or led >= max(2, total // 2)
        self.empty = not self.names and not (led and self.timed_lines)

    def head(self, line: str) -> _Head | None:
        """How the line opens a turn, or None where it continues one."""
        text = line[:_HEAD_CHARACTERS]
        if not text:
            return None
        if match := _LEAD.fullmatch(text):
            return self._led(match, line)
        if match := _BROKEN_LEAD.fullmatch(text):
            parts = labels.split_label(match["rest"])
            if (
                parts is not None
                and parts[0] in self.names
                and match["inner"].strip()[-1:].isdigit()
            ):
                return _Head("colon", parts[0], Span(problem=Reason.BAD_TIME), parts[1])
        if (head := self._named(line)) is None and (bullet := _BULLET.match(line)):
            head = self._named(line[bullet.end() :])
        return head

    def _named(self, line: str) -> _Head | None:
        """`Anna (0:12): words`, `Anna  0:12`, `Anna: words`, `Anna:`."""
        text = line[:_HEAD_CHARACTERS]
        if (match := _TRAIL.fullmatch(text)) and (label := match["label"].strip()) in self.names:
            words = match["words"].strip() + line[_HEAD_CHARACTERS:]
            if _is_set_apart(match) or match["colon"] or not words:
                return _Head("colon" if words else "trail", label, _span(match), words)
        parts = labels.split_label(line)
        if parts is not None and parts[0] in self.names:
            return _Head("colon" if parts[1] else "trail", parts[0], UNTIMED, parts[1])
        return None

    def _led(self, match: re.Match[str], line: str) -> _Head | None:
        """`[0:12] Anna: words`, `0:12 Anna`, `[0:12] words`, `0:12`."""
        rest, span = _rest(match) + line[_HEAD_CHARACTERS:], _span(match)
        named = self._named(rest)
        if named is not None:
            return _Head(
                named.form, named.label, span if named.span == UNTIMED else named.span, named.words
            )
        if not rest:
            return _Head("time", None, span, "")
        if rest in self.lead:
            return _Head("lead", rest, span, "")
        if match["open"] or (self.timed_lines and not self.names):
            return _Head("words", None, span, rest)
        return None


class _Turns:
    """Gathers lines into turns and gives them to the collector."""

    def __init__(self, style: _Style, into: Collector) -> None:
        self.style = style
        self.into = into
        self.turn: _Turn | None = None
        self.label: str | None = None
        self.time: tuple[int, Span] | None = None
        self.preamble: list[tuple[int, str, bool]] | None = []
        self.rejected = False

    def read(self, lines: Iterable[Line]) -> None:
        """All lines of the file."""
        for number, raw in lines:
            line = _bare(raw)
            if not line:
                if self.preamble:
                    self.preamble[-1] = (*self.preamble[-1][:2], True)
            elif is_notice(line):
                self.into.remark(number, line)
            elif (head := self.style.head(line)) is None:
                self._continue(number, line)
            elif head.form == "time":
                self._mark(number, head.span, line)
            else:
                self._open(number, head, line)
        self._close()
        self._unused_time()
        self._end_preamble()

    def _open(self, number: int, head: _Head, line: str) -> None:
        self._close()
        span = head.span
        if self.time is not None and span == UNTIMED:
            span, self.time = self.time[1], None
        self._unused_time()
        self._end_preamble()
        label = head.label or self.label
        inherited = head.label is None and label is not None
        self.label = label
        self.rejected = span.problem is not None
        if span.problem is not None:
            self.into.report(number, span.problem, line)
            return
        self.turn = _Turn(number, label, span, line, inherited=inherited)
        if head.words:
            self.turn.words.append(head.words)
            self.turn.size = len(head.words)

    def _mark(self, number: int, span: Span, line: str) -> None:
        """A time on a line of its own: of the turn that was just named, else of what follows."""
        if self.turn is not None and not self.turn.words and self.turn.span == UNTIMED:
            self.turn.span = span
            self.into.remark(number, line)
            return
        self._unused_time()
        self.time = (number, span)
        if span.problem is not None:
            self.into.report(number, span.problem, line)
            self.time = None

    def _unused_time(self) -> None:
        """A time mark that no words followed."""
        if self.time is not None:
            self.into.remark(self.time[0], "time mark")
            self.time = None

    def _continue(self, number: int, line: str) -> None:
        if self.time is not None and not self.style.names:
            self._open(number, _Head("words", None, self.time[1], line), line)
        elif self.turn is not None:
            if self.turn.size > LIMITS.turn_characters:
                label = self.turn.label
                self._close()
                self.turn = _Turn(number, label, UNTIMED, line, inherited=True)
            self.turn.words.append(line)
            self.turn.size += len(line) + 1
        elif self.rejected:
            self.into.report(number, Reason.AFTER_REJECTED, line)
        elif self.preamble is not None:
            self.into.room(len(self.preamble))
            self.preamble.append((number, line, False))

    def _end_preamble(self) -> None:
        """Before the first turn: headings are remarks, a title too, other words are reported."""
        lines, self.preamble = self.preamble or [], None
        for at, (number, line, blank_follows) in enumerate(lines):
            heads = at == 0 and (blank_follows or (len(lines) > 1 and is_heading(lines[1][1])))
            title = title_of(line) if heads or is_heading(line) else None
            if title is not None or is_heading(line):
                self.into.title = self.into.title or title
                self.into.remark(number, line)
            else:
                self.into.report(number, Reason.BEFORE_SPEAKER, line)

    def _close(self) -> None:
        turn, self.turn = self.turn, None
        if turn is None:
            return
        self.into.candidate(
            turn.line,
            turn.label,
            turn.span,
            " ".join(turn.words),
            raw=turn.raw,
            inherited=turn.inherited,
        )


def _bare(raw: str) -> str:
    """The line without outer space, without Markdown's bold around a name, without a date before
    the time of day.
    """
    line = raw.strip()
    if line[:2] in {"**", "__"}:
        line = _BOLD.sub(r"\2", line, count=1)
    return _DATED.sub(r"\1", line) if line[:1] in {"2", "[", "("} else line


def _is_set_apart(match: re.Match[str]) -> bool:
    """Whether name and time are clearly two things: brackets, a tab, more than one space."""
    return bool(match["open"]) or len(match["gap"]) > 1 or match["gap"] == "\t"


def _rest(match: re.Match[str]) -> str:
    """What follows a time; name and words of a table with tabs get a colon between them."""
    rest = re.sub(r"^\s*[-\u2013\u2014|:]\s+", "", match["rest"]).strip()
    name, tab, words = rest.partition("\t")
    if tab and ":" not in name and labels.name_like(name.strip()):
        rest = f"{name.strip()}: {words}"
    return one_line(rest)


def _span(match: re.Match[str]) -> Span:
    return clock_span(match["a"] or match["c"], match["b"] or match["d"])
