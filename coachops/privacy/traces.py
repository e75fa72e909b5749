"""By what a client is found where no key leads to them: files, and bytes that nobody could read."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.db.models import Client, Engagement, Message

_SHORTEST = 4
"""Characters; a shorter name alone would be found in every text."""


@dataclass(frozen=True)
class Traces:
    """What was known of a client just before the rows went. Never written down.

    Attributes:
        born_at: when the client was taken in; what is older cannot hold them.
        coach_ids: who coaches or coached them.
        message_ids: of their letters; files of the outbox begin with one.
    """

    client_id: uuid.UUID
    external_id: str
    name: str
    email: str | None
    born_at: dt.datetime
    coach_ids: tuple[uuid.UUID, ...]
    message_ids: tuple[uuid.UUID, ...]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = [str(self.client_id), self.client_id.hex, *([self.email] if self.email else [])]
        words += [word for word in (self.name, self.external_id) if len(word) >= _SHORTEST]
        listed = "|".join(re.escape(word) for word in words)
        return re.compile(rf"(?<![\w-])(?:{listed})(?![\w-])", re.IGNORECASE)

    def stand_in(self, data: bytes) -> bool:
        """Whether bytes name the client: by id, address, full name or external id."""
        return self._pattern.search(data.decode("utf-8", errors="replace")) is not None


def of_client(session: Session, client: Client) -> Traces:
    """The traces of a client."""
    coaches = session.scalars(
        sa.select(Engagement.coach_id).where(Engagement.client_id == client.id).distinct()
    ).all()
    letters = session.scalars(sa.select(Message.id).where(Message.client_id == client.id)).all()
    return Traces(
        client.id, client.external_id, client.name, client.email, client.created_at,
        tuple(sorted(coaches)), tuple(letters),
    )  # fmt: skip
