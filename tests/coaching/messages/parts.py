"""What the tests of messages share: analyses written without an engine, a letterhead, a mailer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from email.message import EmailMessage

from sqlalchemy.orm import Session

from coachops.coaching.messages import Letterhead
from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import ActionItem, Analysis, CoachingSession, Insight, Transcript

LETTERHEAD = Letterhead("coaching@example.org", "Northbridge", "https://c.example", b"s" * 32)


class ListMailer:
    """Keeps letters in a list, or fails with `code` and `details` (`fault`: any exception)."""

    def __init__(self, code: str = "", fault: Exception | None = None, **details: object) -> None:
        self.letters: list[EmailMessage] = []
        self.code = code
        self.fault = fault
        self.details = {"reason": "the test says so"} | details

    def deliver(self, letter: EmailMessage, *, sender: str, recipient: str) -> None:
        if self.fault is not None:
            raise self.fault
        if self.code:
            raise CoachError(self.code, **self.details)
        assert "@" in sender
        assert recipient in str(letter["To"])
        self.letters.append(letter)


def make_analysis(
    database: Database,
    transcript_id: uuid.UUID,
    follow_up: Sequence[str],
    steps: Sequence[dict[str, object]] = (),
) -> uuid.UUID:
    """An analysis as the pipeline leaves it behind; the newest holds."""

    def work(session: Session) -> uuid.UUID:
        transcript = session.get_one(Transcript, transcript_id)
        analysis = Analysis(
            id=ids.new_id(),
            transcript_id=transcript_id,
            status="complete",
            engine="local",
            model="rules",
            input_sha256="0" * 64,
            dropped={},
        )
        session.add(analysis)
        session.flush()
        session.add_all(
            Insight(
                analysis_id=analysis.id,
                transcript_id=transcript_id,
                kind="follow_up",
                ordinal=number,
                anchor=f"follow-up-{number}",
                text=text,
                citations=[],
            )
            for number, text in enumerate(follow_up, 1)
        )
        meeting = session.get_one(CoachingSession, transcript.session_id)
        for number, step in enumerate(steps, 1):
            session.add(
                ActionItem(
                    client_id=transcript.client_id,
                    coach_id=meeting.coach_id,
                    session_id=transcript.session_id,
                    last_session_id=transcript.session_id,
                    transcript_id=transcript_id,
                    analysis_id=analysis.id,
                    anchor=f"step-{number}",
                    citations=[],
                    **step,
                )
            )
        transcript.state = "analysed"
        return analysis.id

    return database.run(work)
