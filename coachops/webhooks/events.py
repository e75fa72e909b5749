"""The types of events and what each may tell: ids, counts, codes and links, never a word of anybody.

To add one: a model here and a row in `EVENTS`; the API description and `emit` follow.
"""

from __future__ import annotations

import uuid
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

Count = Annotated[int, Field(ge=0, le=2**53)]
"""Every language reads integers up to 2^53 without loss."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,80}$")]
Path = Annotated[
    str,
    Field(pattern=r"^/v1/[A-Za-z0-9/._-]{1,200}$"),
    WithJsonSchema(
        {"type": "string", "format": "uri", "description": "Where to read more, with your token."}
    ),
]
"""A path here; receivers get the full address."""


class EventData(BaseModel):
    """Base of what events tell: nothing but the fields that are named.

    To receivers that is not promised, or no field could ever be added. `any_coach`: who may see data
    of one of the coaches concerned is told, else who may see those of all.
    """

    any_coach: ClassVar[bool] = False

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra=lambda schema: schema.update(additionalProperties=True),
    )


class ExportReady(EventData):
    """An export is complete and can be fetched."""

    export_id: Reference
    datasets: list[Name]
    files: Count
    rows: Count
    bytes: Count
    url: Path


class ExportFailed(EventData):
    """An export ended without a result; `code` is of the error catalogue."""

    export_id: Reference
    code: Annotated[str, Field(pattern=r"^COACH-[A-Z]{2,3}-\d{3}$")]
    url: Path


class DataChanged(EventData):
    """Rows of these datasets were added, changed or deleted; read the change feed from your cursor.

    `position` is where the feed stood: a reader that has come so far has nothing to fetch.
    """

    datasets: list[Name]
    position: Count
    url: Path


class ClientErased(EventData):
    """Everything about a client was erased: erase your copies. `exports` were issued with them."""

    any_coach: ClassVar[bool] = True

    client_id: uuid.UUID
    exports: Count


class Test(EventData):
    """Sent on request, to see whether a receiver works."""

    webhook_id: uuid.UUID


EVENTS: dict[str, type[EventData]] = {
    "export.ready": ExportReady,
    "export.failed": ExportFailed,
    "data.changed": DataChanged,
    "client.erased": ClientErased,
    "webhook.test": Test,
}
"""Type -> what it tells."""

TEST = "webhook.test"
CHANGED = "data.changed"
ERASED = "client.erased"
CHOICES = tuple(name for name in EVENTS if name != TEST)
"""What an endpoint can ask for; a test goes to any."""


def checked(event_type: str, data: dict[str, object]) -> dict[str, object]:
    """`data` as it is stored.

    Raises:
        ValueError: an unknown type or field, or words where an id, count or link belongs: a mistake
            in the code, whose message quotes no value.
    """
    if event_type not in EVENTS:
        raise ValueError(f"no event type '{event_type}'")
    try:
        return EVENTS[event_type].model_validate(data).model_dump(mode="json")
    except ValidationError as error:
        wrong = ", ".join(str(each["loc"]) for each in error.errors(include_input=False))
        raise ValueError(f"{event_type} cannot tell {wrong}") from None
