"""A small organisation with everything that is hard to export."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from coachops import audit
from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import CoachingSession, Insight, InsightEdit, Utterance

UNTIL = dt.date(2026, 11, 23)
HARD_TEXTS = [
    r"\N", r"\\N", " leading and trailing ", "a,b", 'say "hello"', "two\nlines", "cr\rlf\r\n",
    "=1+1", "+44 20", "-5", "@sum", "\ttab", "'quoted'", "naïve — 日本語 🙂", "\u2028line separator",
    '"', ",", "\\", "null", "NULL", "\ufeffbom",
]  # fmt: skip


def make_organisation(database: Database, *, sessions: int = 40) -> None:
    """Coaches, clients, sessions and what followed; hard texts, a cut, a redaction, an edit."""
    seed_organisation(
        database, coaches=3, clients=9, sessions=sessions, utterances_per_session=14, seed=7,
        until=UNTIL,
    )  # fmt: skip
    with database.write() as session:
        utterances = session.scalars(
            sa.select(Utterance).order_by(Utterance.transcript_id, Utterance.position).limit(60)
        ).all()
        for utterance, text in zip(utterances, HARD_TEXTS, strict=False):
            utterance.text = text
        empty, null = session.scalars(  # only titles may be empty, what was said may not
            sa.select(CoachingSession.id).order_by(CoachingSession.id).limit(2)
        )
        for meeting, title in ((empty, ""), (null, r"\N")):
            session.execute(
                sa.update(CoachingSession)
                .where(CoachingSession.id == meeting)
                .values(title=title, updated_at=CoachingSession.updated_at)
            )
        utterances[-1].is_cut = True
        utterances[-2].original_text = utterances[-2].text
        utterances[-2].text = "[redacted]"
        first, second = session.scalars(sa.select(Insight).order_by(Insight.id).limit(2)).all()
        for insight, text in ((first, "In the coach's words."), (second, None)):
            session.add(
                InsightEdit(
                    transcript_id=insight.transcript_id, kind=insight.kind,
                    anchor=insight.anchor, text=text,
                )
            )  # fmt: skip
        audit.record(session, SYSTEM, "roster.imported", "roster", clock.now().date(), rows=3)


@pytest.fixture
def organisation(database: Database) -> Database:
    """The organisation on SQLite and on PostgreSQL."""
    make_organisation(database)
    return database


@pytest.fixture
def sqlite_organisation(sqlite_database: Database) -> Database:
    """The organisation where the kind of database does not matter."""
    make_organisation(sqlite_database)
    return sqlite_database
