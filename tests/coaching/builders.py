"""People, sessions and transcripts for tests, made without the import path."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.db import Database
from coachops.db.models import (
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Transcript,
    User,
    Utterance,
)

Line = tuple[str, str]
"""Speaker (coach, client, other) and words."""

TALK: tuple[Line, ...] = (
    ("coach", "What would you like to look at today?"),
    ("client", "I want to talk about delegation, because my week is full of work of others."),
    ("coach", "It sounds like delegation feels risky to you."),
    ("client", "Yes. I will write a list of three tasks to hand over by Friday."),
    ("coach", "I will send you the article about delegation tomorrow."),
    ("client", "Thank you, that helps."),
)
"""A short session with one commitment of each."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Pair:
    """A coach, a client and their engagement, with the coach as an actor."""

    coach_id: uuid.UUID
    client_id: uuid.UUID
    engagement_id: uuid.UUID
    actor: Actor
    coach_name: str
    client_name: str


def make_pair(
    database: Database,
    *,
    coach_name: str = "Ada Reyes",
    client_name: str = "Maya Okafor",
    consents: Sequence[str] = ("processing",),
    coach_of: Pair | None = None,
) -> Pair:
    """A coach with a user, a client who consented to `consents`, and their engagement.

    `coach_of`: take that pair's coach instead of a new one.
    """
    number = next(_numbers)

    def work(session: Session) -> Pair:
        if coach_of is None:
            coach = Coach(
                id=ids.new_id(),
                external_id=f"coach-{number}",
                name=coach_name,
                email=f"coach-{number}@example.org",
            )
            session.add(coach)
            session.flush()
            user = User(
                id=ids.new_id(),
                email=coach.email,
                name=coach.name,
                role="coach",
                coach_id=coach.id,
            )
            session.add(user)
            session.flush()
            actor = Actor(user.id, "coach", coach.name, coach.id)
            coach_id = coach.id
        else:
            coach_id, actor = coach_of.coach_id, coach_of.actor
        client = Client(
            id=ids.new_id(),
            external_id=f"client-{number}",
            name=client_name,
            email=f"client-{number}@example.org",
        )
        session.add(client)
        session.flush()
        engagement = Engagement(
            id=ids.new_id(),
            external_id=f"engagement-{number}",
            coach_id=coach_id,
            client_id=client.id,
            title="Leading a team",
            started_on=dt.date(2026, 1, 1),
        )
        session.add(engagement)
        session.add_all(
            Consent(client_id=client.id, kind=kind, granted=True, recorded_at=clock.now())
            for kind in consents
        )
        session.flush()
        return Pair(coach_id, client.id, engagement.id, actor, actor.name, client_name)

    return database.run(work)


def make_transcript(
    database: Database,
    pair: Pair,
    lines: Sequence[Line] = TALK,
    *,
    held_on: dt.date = dt.date(2026, 11, 2),
    role_state: str = "certain",
    kind: str = "recording",
    labels: bool = True,
) -> uuid.UUID:
    """A session with a transcript of `lines`, five seconds each; returns the transcript's id."""
    original = "\n".join(f"{speaker}: {text}" for speaker, text in lines).encode() or b"-"
    # the same words for the same client are one transcript: make each different
    original += f"\n{next(_numbers)}".encode()

    def work(session: Session) -> uuid.UUID:
        meeting = CoachingSession(
            id=ids.new_id(),
            engagement_id=pair.engagement_id,
            coach_id=pair.coach_id,
            client_id=pair.client_id,
            held_on=held_on,
        )
        session.add(meeting)
        session.flush()
        transcript = Transcript(
            id=ids.new_id(),
            session_id=meeting.id,
            client_id=pair.client_id,
            kind=kind,
            source_name="session.vtt",
            format="vtt",
            encoding="utf-8",
            sha256=hashlib.sha256(original).hexdigest(),
            size_bytes=len(original),
            original=original,
            cue_count=len(lines),
            unparsed=[],
            role_state=role_state,
            state="waiting_roles" if role_state == "unclear" else "imported",
        )
        session.add(transcript)
        session.flush()
        session.add_all(
            Utterance(
                id=ids.new_id(),
                transcript_id=transcript.id,
                position=position,
                line=position,
                speaker_label=speaker.title() if labels else None,
                speaker=speaker,
                original_speaker=speaker,
                start_ms=(position - 1) * 5_000,
                end_ms=position * 5_000,
                text=text,
            )
            for position, (speaker, text) in enumerate(lines, 1)
        )
        session.flush()
        return transcript.id

    return database.run(work)
