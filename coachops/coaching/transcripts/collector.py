"""Where every parser puts what it finds, so that limits and conservation are kept in one place."""

from __future__ import annotations

from collections import Counter

from coachops.coaching.transcripts.cleaning import clean
from coachops.coaching.transcripts.model import (
    EXCERPT_CHARACTERS,
    LIMITS,
    RAW_CHARACTERS,
    Cue,
    Reason,
    Remark,
    Unparsed,
)
from coachops.coaching.transcripts.timing import Span
from coachops.core.errors import CoachError


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def excerpt(text: str) -> str:
    """The beginning of a reported candidate, for the person who looks for it."""
    return one_line(text[: EXCERPT_CHARACTERS * 4])[:EXCERPT_CHARACTERS]


class Collector:
    """Takes cues, reports and remarks in file order; numbers the cues.

    Parameters:
        name: the file's name, for errors.
        cleaned: counts so far; grows when entities or JSON escapes bring new characters.

    Raises `COACH-TRN-005` at the first candidate beyond the limit, so that no more memory is spent.
    """

    def __init__(self, name: str, cleaned: Counter[str]) -> None:
        self.name = name
        self.cleaned = cleaned
        self.cues: list[Cue] = []
        self.unparsed: list[Unparsed] = []
        self.remarks: list[Remark] = []
        self.title: str | None = None

    def candidate(
        self,
        line: int,
        label: str | None,
        span: Span,
        words: str,
        *,
        raw: str = "",
        inherited: bool = False,
    ) -> bool:
        """Import the candidate or report it, by the rule in `model`; True when imported.

        Parameters:
            raw: how the candidate looks in the file, for the excerpt of a report.
        """
        text = one_line(clean(words, self.cleaned))
        if span.problem is not None:
            self.report(line, span.problem, raw or words)
            return False
        if not text:
            self.report(line, Reason.NO_WORDS, raw or label or "")
            return False
        self.room()
        if label is not None:
            label = one_line(clean(label, self.cleaned)) or None
        position = len(self.cues) + 1
        self.cues.append(
            Cue(position, line, label, span.start_ms, span.end_ms, text, inherited and bool(label))
        )
        return True

    def report(self, line: int, reason: Reason, raw: str) -> None:
        """Report a candidate that is not imported."""
        self.room()
        raw = clean(raw[: RAW_CHARACTERS * 2], Counter())
        self.unparsed.append(Unparsed(line, reason, excerpt(raw), raw.strip()[:RAW_CHARACTERS]))

    def remark(self, line: int, text: str) -> None:
        """Keep a line that is not part of the conversation."""
        self.room()
        self.remarks.append(Remark(line, one_line(text)))

    def room(self, more: int = 1) -> None:
        """Refuse the file when it has more candidates or remarks than the limit."""
        held = max(len(self.cues) + len(self.unparsed), len(self.remarks))
        if held + more > LIMITS.cues:
            raise CoachError("COACH-TRN-005", name=self.name, limit=LIMITS.cues)
