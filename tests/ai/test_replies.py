"""Replies that were paid for: found again, never for another question, erased with their owner."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import replies
from coachops.ai.replies import KeptReplies, Outbound, key_of
from coachops.ai.shared import SharedState
from coachops.core import clock
from coachops.db import Database
from coachops.db.models import AiReply, Transcript
from tests.coaching.builders import make_pair, make_transcript

SENT = Outbound("ai.example.org", "m", 4, 1_000, "0" * 64, 100, 20, 5)


@pytest.fixture
def transcript_id(database: Database) -> uuid.UUID:
    return make_transcript(database, make_pair(database))


def kept_by(database: Database, transcript_id: uuid.UUID) -> KeptReplies:
    return KeptReplies(SharedState(database), transcript_id)


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AiReply)) or 0


def test_a_reply_is_found_again_by_whoever_asks_the_same(
    database: Database, transcript_id: uuid.UUID
) -> None:
    kept_by(database, transcript_id).put("k" * 64, '{"a": 1}', SENT)
    kept_by(database, transcript_id).put("k" * 64, "another", SENT)  # the first one stays
    found = kept_by(database, transcript_id).get("k" * 64)
    assert found is not None
    assert (found.content, found.sent, found.logged) == ('{"a": 1}', SENT, False)
    assert kept_by(database, transcript_id).get("x" * 64) is None
    assert kept_by(database, uuid.uuid5(transcript_id, "other")).get("k" * 64) is None


def test_a_reply_expires(database: Database, transcript_id: uuid.UUID) -> None:
    kept = kept_by(database, transcript_id)
    kept.put("a" * 64, None, SENT)
    with clock.frozen(clock.now() + replies.KEEP):
        assert kept.get("a" * 64) is None
        kept.put("b" * 64, None, SENT)
    assert count(database) == 1


def test_old_replies_go_although_no_service_is_asked_any_more(
    database: Database, transcript_id: uuid.UUID
) -> None:
    kept_by(database, transcript_id).put("a" * 64, "words", SENT)
    assert replies.forget_old(database) == 0
    with clock.frozen(clock.now() + replies.KEEP):
        assert replies.forget_old(database) == 1
    assert count(database) == 0


def test_a_reply_goes_with_its_transcript(database: Database, transcript_id: uuid.UUID) -> None:
    kept_by(database, transcript_id).put("a" * 64, "words", SENT)

    def erase(session: Session) -> None:
        session.execute(sa.delete(Transcript).where(Transcript.id == transcript_id))

    database.run(erase)
    assert count(database) == 0


def test_requests_are_put_on_record_once(database: Database, transcript_id: uuid.UUID) -> None:
    kept_by(database, transcript_id).put("a" * 64, "words", SENT)

    def take(session: Session) -> list[Outbound]:
        return replies.take_unlogged(session, transcript_id)

    assert database.run(take) == [SENT]
    assert database.run(take) == []


def test_the_key_holds_who_is_asked_and_every_word() -> None:
    keys = {
        key_of("a", [{"content": "x"}]),
        key_of("b", [{"content": "x"}]),
        key_of("a", [{"content": "y"}]),
        key_of("a", [{"content": "x"}, {"content": "x"}]),
        key_of("a", [{"content": "\ud800"}]),
    }
    assert len(keys) == 5


def test_where_the_database_is_away_nothing_is_kept_and_nothing_fails() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    kept = kept_by(database, uuid.UUID(int=1))
    kept.put("a" * 64, "words", SENT)
    assert kept.get("a" * 64) is None
    database.close()
