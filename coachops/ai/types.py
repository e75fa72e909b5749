"""What goes into an analysis engine and what comes out: the same types for every engine.

The engines propose; `coaching.analysis` checks each citation against the transcript and drops what
does not hold. Counts (talk share, open-question share) are computed by `ai.counts`, never by a
model.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Speaker(StrEnum):
    """Who speaks, after the roles were mapped."""

    COACH = "coach"
    CLIENT = "client"
    OTHER = "other"


class Behaviour(StrEnum):
    """What a coach does in an utterance (four classes of the AnnoMI scheme, Wu et al. 2022)."""

    QUESTION = "question"
    REFLECTION = "reflection"
    INPUT = "input"
    OTHER = "other"


class Modality(StrEnum):
    """Whether a next step was promised by its owner or only proposed."""

    COMMITMENT = "commitment"
    PROPOSAL = "proposal"


class Owner(StrEnum):
    """Whose next step it is."""

    COACH = "coach"
    CLIENT = "client"
    UNASSIGNED = "unassigned"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Utterance(_Frozen):
    """One cue of a transcript as an engine reads it (after cuts and redactions).

    Attributes:
        position: from 1, in file order; what citations refer to.
        speaker: mapped role.
        text: the words; redacted spans read `[redacted]`.
        start_ms, end_ms: milliseconds from the start of the recording, where known.
    """

    position: int = Field(ge=1)
    speaker: Speaker
    text: str
    start_ms: int | None = None
    end_ms: int | None = None


class OpenCommitment(_Frozen):
    """A next step of an earlier session that is still open, so that it is carried, not doubled."""

    id: str
    owner: Owner
    text: str


class AnalysisRequest(_Frozen):
    """Everything an engine may look at.

    Attributes:
        utterances: the session, in order.
        session_date: the day that "tomorrow" and "by Friday" are counted from.
        open_commitments: what earlier sessions left open, for the same client.
        coach_account: True where the coach typed notes instead of a recording.
    """

    utterances: tuple[Utterance, ...]
    session_date: dt.date
    open_commitments: tuple[OpenCommitment, ...] = ()
    coach_account: bool = False


class Citation(_Frozen):
    """Where in the transcript something stands; the server checks all three.

    Attributes:
        position: of the utterance.
        speaker: who says it.
        quote: a literal piece of that utterance's text.
    """

    position: int = Field(ge=1)
    speaker: Speaker
    quote: str = Field(min_length=1)


class CitedText(_Frozen):
    """A sentence with the utterances that support it."""

    text: str = Field(min_length=1)
    citations: list[Citation]


class CoachBehaviour(_Frozen):
    """The behaviour of one coach utterance; `open_question` only for questions."""

    position: int = Field(ge=1)
    behaviour: Behaviour
    open_question: bool = False


class ActionItem(_Frozen):
    """A next step.

    Attributes:
        text: what is to be done, close to the words spoken.
        owner: the one who said it; `unassigned` for a proposal nobody took.
        modality: a spoken commitment, or a labelled proposal.
        due_date: only where a date was said; `due_phrase` holds the words ("by Friday").
        carries: id of the open commitment of an earlier session that this one continues.
        done: the carried commitment was reported as done in this session.
    """

    text: str = Field(min_length=1)
    owner: Owner
    modality: Modality
    due_date: dt.date | None = None
    due_phrase: str | None = None
    carries: str | None = None
    done: bool = False
    citations: list[Citation]


class EngineResult(_Frozen):
    """What an engine found. Every list may be empty: "not discussed" is not a finding.

    Attributes:
        summary: sentences about what was talked about, each cited.
        themes: short labels, each cited.
        behaviours: one per coach utterance.
        action_items: next steps.
        follow_up: suggested sentences for the message to the client, each cited.
    """

    summary: list[CitedText]
    themes: list[CitedText]
    behaviours: list[CoachBehaviour]
    action_items: list[ActionItem]
    follow_up: list[CitedText]
