"""The four kinds of rows that other systems keep in step, and what they may say about each.

The rules of cleaning and the limits are those of the roster file, which uses the same fields.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from coachops.core.text import CleanLine
from coachops.db.models import Client, Coach, CoachingSession, Engagement

EMAIL = r"""^[^@\s<>,;:"']+@[^@\s<>,;:"']+$"""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WEEK_MS = 7 * 86_400_000

KindName = Literal["coach", "client", "engagement", "session"]
KINDS: tuple[KindName, ...] = get_args(KindName)
"""Parents before children."""

Row = Coach | Client | Engagement | CoachingSession


def _day(value: object) -> object:
    if isinstance(value, str):
        if _DAY.fullmatch(value.strip()) is None:
            raise ValueError("write a day as YYYY-MM-DD")
        return value.strip()
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise ValueError("write a day as YYYY-MM-DD")


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError("write a whole number")
    return int(value)


def _no_email(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


Name = Annotated[str, CleanLine(max=200, min=1)]
Title = Annotated[str, CleanLine(max=200)]
Email = Annotated[str, Field(pattern=EMAIL), CleanLine(max=200)]
OptionalEmail = Annotated[Email | None, BeforeValidator(_no_email)]
Day = Annotated[
    dt.date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})
]
Milliseconds = Annotated[int, Field(ge=0, le=_WEEK_MS), BeforeValidator(_whole)]


class Inbound(BaseModel):
    """What a source says about a row. Fields that are left out stay as they are; null empties one."""

    model_config = ConfigDict(extra="forbid")
    kind: ClassVar[KindName]

    def said(self) -> dict[str, Any]:
        """The fields that were named, as they are kept."""
        return {name: getattr(self, name) for name in type(self).model_fields if self._says(name)}

    def _says(self, name: str) -> bool:
        return name in self.model_fields_set


class CoachIn(Inbound):
    """A coach. Who leaves is told by `POST /v1/coaches/{external_id}/leave`."""

    kind: ClassVar[KindName] = "coach"
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Ada Reyes", "email": "ada.reyes@example.org"}]}
    )

    name: Name
    email: Email = Field(description="No other coach has it; kept in lower case.")

    def said(self) -> dict[str, Any]:
        """As kept: e-mail addresses of coaches in lower case."""
        return super().said() | {"email": self.email.lower()}


class ClientIn(Inbound):
    """A client. Without an e-mail no follow-up can be sent."""

    kind: ClassVar[KindName] = "client"
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Maya Okafor", "email": "maya@example.org"}]}
    )

    name: Name
    email: OptionalEmail = None
    left_on: Day | None = Field(None, description="First day without the client.")


class EngagementIn(Inbound):
    """A coach works with a client. Both are named by external id, and never change."""

    kind: ClassVar[KindName] = "engagement"
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "coach": "AC-101",
                    "client": "CL-201",
                    "title": "Leading a team",
                    "started_on": "2026-09-01",
                }
            ]
        }
    )

    coach: Name = Field(description="External id of the coach.")
    client: Name = Field(description="External id of the client.")
    title: Title = ""
    started_on: Day
    ended_on: Day | None = Field(None, description="First day without it.")


class SessionIn(Inbound):
    """A meeting, held or to come. Its coach and client are those of the engagement."""

    kind: ClassVar[KindName] = "session"
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"engagement": "EN-301", "held_on": "2026-12-07", "title": "Delegation"}]
        }
    )

    engagement: Name = Field(description="External id of the engagement.")
    held_on: Day
    title: Title = ""
    duration_ms: Milliseconds | None = None


BODIES: Mapping[KindName, type[Inbound]] = {
    "coach": CoachIn,
    "client": ClientIn,
    "engagement": EngagementIn,
    "session": SessionIn,
}
TABLES: Mapping[KindName, type[Row]] = {
    "coach": Coach,
    "client": Client,
    "engagement": Engagement,
    "session": CoachingSession,
}
