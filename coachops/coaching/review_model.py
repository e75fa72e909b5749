"""What a review of a transcript consists of: plain values, never live rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coachops.coaching.corrections import EditRow


@dataclass(frozen=True, slots=True)
class ReviewUtterance:
    """An utterance as it stands.

    Attributes:
        name: of the person, else the label of the file, else the role.
        behaviour: of the coach; None for others and before an analysis.
        flags: `cut`, `redacted`, `speaker_corrected`, `behaviour_corrected`, `no_label`,
            `instruction` (reads as if addressed to a model).
    """

    position: int
    speaker: str
    name: str
    label: str | None
    start_ms: int | None
    end_ms: int | None
    text: str
    behaviour: str | None
    flags: frozenset[str]

    @property
    def is_cut(self) -> bool:
        """Whether no engine reads it."""
        return "cut" in self.flags


@dataclass(frozen=True, slots=True)
class ReviewCitation:
    """Where a finding stands in this transcript."""

    position: int
    speaker: str
    quote: str


@dataclass(frozen=True, slots=True)
class ReviewInsight:
    """A cited sentence, in the coach's words where there are any.

    Attributes:
        id: of the row; None where the newest analysis does not have it any more and only the
            coach's wording keeps it.
        engine_text: what the newest analysis wrote; None as with `id`.
        edited: the text is the coach's.
        removed: the coach hid it.
        version: hand it back with an edit.
    """

    id: uuid.UUID | None
    anchor: str
    kind: str
    text: str
    engine_text: str | None
    edited: bool
    removed: bool
    version: str
    citations: tuple[ReviewCitation, ...]


@dataclass(frozen=True, slots=True)
class ReviewAction:
    """A next step that this session made, or took up again from an earlier one.

    Attributes:
        owner: coach, client, unassigned; `owner_name` to show.
        modality: `commitment` (said by its owner) or `proposal`.
        engine_text: None where the coach added it by hand.
        carried_from: day of the earlier session that made it; None where this one did.
        version: hand it back with an edit.
    """

    id: uuid.UUID
    text: str
    engine_text: str | None
    edited: bool
    owner: str
    owner_name: str
    modality: str
    due_date: dt.date | None
    due_phrase: str | None
    status: str
    done_on: dt.date | None
    carried_from: dt.date | None
    version: str
    citations: tuple[ReviewCitation, ...]

    @property
    def by_hand(self) -> bool:
        """Whether the coach added it."""
        return self.engine_text is None


@dataclass(frozen=True, slots=True)
class ReviewCount:
    """A number with what it was made of and its definition; `value` None where there is nothing.

    Attributes:
        unit: `share` (0 to 1), `words`, `ms` or `count`.
        made_of: for example `25 of 58 words`.
    """

    name: str
    label: str
    value: float | int | None
    unit: str
    made_of: str
    definition: str


@dataclass(frozen=True, slots=True)
class ReviewOutbound:
    """One request that left the machine for an analysis of this transcript."""

    at: dt.datetime
    host: str
    model: str
    utterances: int
    request_bytes: int
    request_sha256: str
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class ReviewAnalysis:
    """The analysis that holds.

    Attributes:
        label: who made it, in words for the coach.
        degraded: the local engine stood in for a service that failed.
        again: made by the service that had failed before: the stand-in is replaced.
        retry_at: from when a stand-in is tried to be replaced.
        error_code: of the failure behind a stand-in.
        instructions: positions whose words read as if addressed to an AI.
        stale: who speaks, or what may be read, was corrected after it.
        dropped: reason (in words) and number of findings that did not hold.
        cost_usd: None where the model has no known price.
    """

    id: uuid.UUID
    engine: str
    model: str
    label: str
    degraded: bool
    stale: bool
    analysed_at: dt.datetime
    duration_ms: int
    cost_usd: float | None
    dropped: tuple[tuple[str, int], ...]
    dropped_count: int
    again: bool = False
    retry_at: dt.datetime | None = None
    error_code: str | None = None
    instructions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewError:
    """Why the last analysis failed, or what the next one waits for; and what to do."""

    code: str
    message: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Review:
    """A transcript with its analysis.

    Attributes:
        kind: `recording`, or `notes` (the coach's account).
        state: imported, waiting_roles, waiting_consent, analysing, analysed, failed.
        role_state: certain, inferred, unclear, confirmed.
        revision: hand it back with a correction.
        error: of the last analysis, where it failed.
        waiting: for the roles or for consent, with what to do.
        insights: those to show, in the order summary, theme, follow_up.
        removed: those the coach hid; they can be restored.
        held_back: findings not shown because their words were cut or redacted since.
        consents: of the client, by kind.
        outbound: of every analysis of this transcript, failed ones included; the newest first.
        unparsed: lines of the file that could not be imported (line, reason, excerpt).
    """

    transcript_id: uuid.UUID
    session_id: uuid.UUID
    coach_id: uuid.UUID
    coach_name: str
    client_id: uuid.UUID
    client_name: str
    client_email: str | None
    held_on: dt.date
    title: str
    kind: str
    source_name: str
    format: str
    state: str
    role_state: str
    revision: str
    error: ReviewError | None
    waiting: ReviewError | None
    consents: Mapping[str, bool]
    utterances: tuple[ReviewUtterance, ...]
    analysis: ReviewAnalysis | None
    insights: tuple[ReviewInsight, ...]
    removed: tuple[ReviewInsight, ...]
    actions: tuple[ReviewAction, ...]
    held_back: int
    counts: tuple[ReviewCount, ...]
    outbound: tuple[ReviewOutbound, ...]
    edits: tuple[EditRow, ...]
    unparsed: tuple[Mapping[str, Any], ...]

    def of_kind(self, kind: str) -> tuple[ReviewInsight, ...]:
        """The insights to show of one kind: summary, theme, follow_up."""
        return tuple(each for each in self.insights if each.kind == kind)

    @property
    def stale(self) -> bool:
        """Whether the analysis is older than a correction it should have read."""
        return self.analysis is not None and self.analysis.stale

    @property
    def degraded(self) -> bool:
        """Whether the local engine stood in for a service that failed."""
        return self.analysis is not None and self.analysis.degraded
