"""Replies that were paid for are kept until their analysis is stored, so that nothing is paid twice.

A process may die between the service's answer and the stored analysis. So each answer that holds is
written down at once, by the digest of what was asked; whoever resumes the work finds it. What is kept
has names still replaced by placeholders, belongs to a transcript and goes with it, goes when its
analysis is complete, and in any case after `KEEP`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai.shared import SharedState
from coachops.ai.stores import insert_new
from coachops.core import clock
from coachops.db import Database
from coachops.db.models import AiReply, Transcript

KEEP = dt.timedelta(days=7)
"""How long a reply waits for its analysis; a service that is away for longer is asked anew."""

_QUIET = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Outbound:
    """One HTTP request that left the machine, whether or not an answer came.

    Attributes:
        host: it went to.
        model: asked.
        utterances: how many of the session it held.
        request_bytes, request_sha256: of the body as sent.
        input_tokens, output_tokens: as the service counted them; None where it did not answer.
        cached_tokens: the part of `input_tokens` that the service had in its cache.
    """

    host: str
    model: str
    utterances: int
    request_bytes: int
    request_sha256: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as it is kept.

    Attributes:
        content: the answer as JSON of the agreed form; None: it was too long, ask in halves.
        sent: the request it answers; None where nothing was counted for it.
        logged: that request is on record already.
    """

    content: str | None
    sent: Outbound
    logged: bool = False


class Kept(Protocol):
    """Where an engine looks for replies before it asks, and puts them when they came."""

    def get(self, key: str) -> Reply | None:
        """The reply to this question, if it is there."""

    def put(self, key: str, content: str | None, sent: Outbound) -> None:
        """Keep a reply."""


class Nothing:
    """Keeps nothing: a reply that belongs to no transcript would be erased with none."""

    def get(self, key: str) -> Reply | None:
        """Never."""
        return None

    def put(self, key: str, content: str | None, sent: Outbound) -> None:
        """Forgotten at once."""


@dataclass(frozen=True, slots=True)
class KeptReplies:
    """The replies of one transcript in the database; where that is away, nothing is kept."""

    state: SharedState
    transcript_id: uuid.UUID

    def get(self, key: str) -> Reply | None:
        """As the protocol says."""

        def work(session: Session) -> Reply | None:
            row = session.get(AiReply, (self.transcript_id, key))
            if row is None or row.expires_at <= clock.now():
                return None
            return Reply(row.content, _sent(row), row.logged)

        return self.state.attempt(work, None, patient=True)

    def put(self, key: str, content: str | None, sent: Outbound) -> None:
        """As the protocol says; takes the opportunity to throw away what is too old."""

        def work(session: Session) -> None:
            now = clock.now()
            session.execute(
                sa.delete(AiReply).where(AiReply.expires_at <= now).execution_options(**_QUIET)
            )
            insert_new(
                session,
                AiReply,
                transcript_id=self.transcript_id,
                key_sha256=key,
                content=content,
                host=sent.host[:200],
                model=sent.model[:100],
                utterances=sent.utterances,
                request_bytes=sent.request_bytes,
                request_sha256=sent.request_sha256,
                input_tokens=sent.input_tokens,
                output_tokens=sent.output_tokens,
                cached_tokens=sent.cached_tokens,
                logged=False,
                created_at=now,
                expires_at=now + KEEP,
            )

        self.state.attempt(work, None, patient=True)


def key_of(target: str, messages: Sequence[object]) -> str:
    """Digest of a question: who is asked, and every word that leaves."""
    text = json.dumps([target, list(messages)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def forget(session: Session, transcript_id: uuid.UUID) -> None:
    """Throw away the replies of a transcript: its analysis is stored."""
    session.execute(
        sa.delete(AiReply).where(AiReply.transcript_id == transcript_id).execution_options(**_QUIET)
    )


def forget_old(database: Database) -> int:
    """Throw away what is older than `KEEP`, also where no service is asked any more; how many."""
    old = sa.delete(AiReply).where(AiReply.expires_at <= clock.now())
    with database.connect(write=True) as connection:
        return connection.execute(old).rowcount


def forget_client(session: Session, client_id: uuid.UUID) -> None:
    """Throw away the replies about a client, who withdrew a consent."""
    theirs = sa.select(Transcript.id).where(Transcript.client_id == client_id)
    session.execute(
        sa.delete(AiReply).where(AiReply.transcript_id.in_(theirs)).execution_options(**_QUIET)
    )


def take_unlogged(session: Session, transcript_id: uuid.UUID) -> list[Outbound]:
    """Requests behind kept replies that are not on record yet; they count as recorded from now on."""
    mine = (AiReply.transcript_id == transcript_id, AiReply.logged.is_(False))
    found = [_sent(row) for row in session.scalars(sa.select(AiReply).where(*mine))]
    session.execute(sa.update(AiReply).where(*mine).values(logged=True).execution_options(**_QUIET))
    return found


def _sent(row: AiReply) -> Outbound:
    return Outbound(
        host=row.host,
        model=row.model,
        utterances=row.utterances,
        request_bytes=row.request_bytes,
        request_sha256=row.request_sha256,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_tokens=row.cached_tokens,
    )
