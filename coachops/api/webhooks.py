"""`/v1/webhooks`: programs ask to be told when something happened, and see what became of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from coachops.api.access import Caller, Calling, InContext
from coachops.api.problem_examples import one_of, problems, shown
from coachops.api.v1 import PROBLEMS
from coachops.core.grants import Grant
from coachops.core.text import CleanLine
from coachops.export.datasets import DATASETS
from coachops.webhooks import CHOICES, EVENTS
from coachops.webhooks.rows import STATES, DeliveryRow, WebhookRow

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

SCOPE = "webhooks:manage"

_NOT_THERE = problems("COACH-WHK-001")
_LINKS = {
    name: {"operationId": name, "parameters": {"webhook_id": "$response.body#/webhook/id"}}
    for name in (
        "read_webhook", "rotate_secret", "enable_webhook", "send_test", "list_deliveries",
        "remove_webhook",
    )
}  # fmt: skip

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="The same request with the same key within two days is done once.",
    ),
]

# without nulls, which the document leaves out
_ID = "01938b5e-7c1a-7d42-9f6e-3f1c5a2b8d90"
_HOOK: dict[str, Any] = {
    "id": _ID,
    "url": "https://crm.example.org/hooks/coachops",
    "description": "CRM",
    "event_types": ["export.ready", "data.changed"],
    "datasets": ["sessions"],
    "coaches": [_ID],
    "clients": [_ID],
    "state": "off",
    "disabled_reason": "gone",
    "failing_since": "2026-11-30T09:15:00Z",
    "previous_until": "2026-12-01T09:15:00Z",
    "waiting": 0,
    "created_by": _ID,
    "created_at": "2026-11-30T09:15:00Z",
}
_DELIVERY: dict[str, Any] = {
    "id": _ID,
    "webhook_id": _ID,
    "event_id": "evt_01938b5e7c1a7d42",
    "event_type": "export.ready",
    "state": "waiting",
    "attempts": 1,
    "next_at": "2026-11-30T09:15:07Z",
    "last_attempt_at": "2026-11-30T09:15:02Z",
    "last_status": 503,
    "failure": "status",
    "occurred_at": "2026-11-30T09:15:01Z",
}


class WebhookIn(BaseModel):
    """A receiver to be told. Limits left out are those of the token."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://crm.example.org/coachops",
                    "event_types": ["export.ready", "data.changed"],
                    "description": "CRM",
                }
            ]
        },
    )

    url: Annotated[str, Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri"})]
    event_types: Annotated[
        list[Annotated[str, one_of(*CHOICES)]], Field(min_length=1, max_length=20)
    ]
    description: Annotated[str, CleanLine(max=200)] = ""
    datasets: Annotated[list[Annotated[str, one_of(*DATASETS)]] | None, Field(max_length=100)] = (
        None
    )
    coaches: Annotated[list[uuid.UUID] | None, Field(max_length=1000)] = None
    clients: Annotated[list[uuid.UUID] | None, Field(max_length=1000)] = None


class Webhook(BaseModel):
    """A receiver. `state` is `on`, `failing` (its newest attempts failed) or `off`."""

    model_config = shown(_HOOK)

    id: uuid.UUID
    url: str
    description: str
    event_types: list[str]
    datasets: list[str] | None
    coaches: list[uuid.UUID] | None
    clients: list[uuid.UUID] | None
    state: str
    disabled_reason: str | None
    failing_since: dt.datetime | None
    previous_until: dt.datetime | None
    waiting: int
    created_by: uuid.UUID | None
    created_at: dt.datetime


class WithSecret(BaseModel):
    """A receiver and the secret that it verifies with. Keep it: it is shown this once."""

    model_config = shown({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "webhook": _HOOK})

    secret: Annotated[str, Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]
    webhook: Webhook


class Listed(BaseModel):
    """Receivers, the newest first."""

    model_config = shown({"webhooks": [_HOOK]})

    webhooks: list[Webhook]


class Delivery(BaseModel):
    """An event on its way to a receiver. `event_id` is the `webhook-id` that the receiver sees."""

    model_config = shown(_DELIVERY)

    id: uuid.UUID
    webhook_id: uuid.UUID
    event_id: str
    event_type: str
    state: str
    attempts: int
    next_at: dt.datetime | None
    last_attempt_at: dt.datetime | None
    last_status: int | None
    failure: str | None
    occurred_at: dt.datetime


class Deliveries(BaseModel):
    """Deliveries, the newest first."""

    model_config = shown({"deliveries": [_DELIVERY]})

    deliveries: list[Delivery]


@router.post(
    "",
    status_code=201,
    responses=PROBLEMS
    | problems("COACH-WHK-002", "COACH-WHK-003", "COACH-WHK-006")
    | {201: {"links": _LINKS}},
)
def add_webhook(
    body: WebhookIn,
    caller: Caller,
    context: InContext,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> WithSecret:
    """Add a receiver. The answer holds the secret; a repeated request (same key) answers the same."""
    actor, own = caller.require(SCOPE), caller.grant
    limits = Grant(
        own.datasets if body.datasets is None else frozenset(body.datasets),
        own.coaches if body.coaches is None else frozenset(body.coaches),
        own.clients if body.clients is None else frozenset(body.clients),
    )
    secret, row = context.services.webhooks.add(
        actor, body.url, body.event_types, body.description,
        limits=limits, grant=own, operation_id=_operation(caller, "add", idempotency_key),
    )  # fmt: skip
    response.headers["Location"] = f"/v1/webhooks/{row.id}"
    response.headers["Cache-Control"] = "no-store"
    return WithSecret(secret=secret, webhook=_webhook(row))


@router.get("", responses=PROBLEMS)
def list_webhooks(caller: Caller, context: InContext) -> Listed:
    """The receivers: all for an admin, those that it added itself for a service."""
    rows = context.services.webhooks.list_all(caller.require(SCOPE), grant=caller.grant)
    return Listed(webhooks=[_webhook(each) for each in rows])


@router.get("/{webhook_id}", responses=PROBLEMS | _NOT_THERE)
def read_webhook(webhook_id: uuid.UUID, caller: Caller, context: InContext) -> Webhook:
    """One receiver, and whether it works."""
    return _webhook(
        context.services.webhooks.get(caller.require(SCOPE), webhook_id, grant=caller.grant)
    )


@router.delete("/{webhook_id}", status_code=204, responses=PROBLEMS | _NOT_THERE)
def remove_webhook(webhook_id: uuid.UUID, caller: Caller, context: InContext) -> None:
    """Remove a receiver; what waits for it is not sent."""
    context.services.webhooks.remove(caller.require(SCOPE), webhook_id, grant=caller.grant)


@router.post("/{webhook_id}/rotate", responses=PROBLEMS | _NOT_THERE)
def rotate_secret(
    webhook_id: uuid.UUID,
    caller: Caller,
    context: InContext,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> WithSecret:
    """Make a new secret. For a day deliveries carry two signatures, one of each."""
    secret, row = context.services.webhooks.rotate(
        caller.require(SCOPE), webhook_id, grant=caller.grant,
        operation_id=_operation(caller, f"rotate {webhook_id}", idempotency_key),
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return WithSecret(secret=secret, webhook=_webhook(row))


@router.post("/{webhook_id}/enable", responses=PROBLEMS | _NOT_THERE)
def enable_webhook(webhook_id: uuid.UUID, caller: Caller, context: InContext) -> Webhook:
    """Send again to a receiver that was switched off after it failed for days."""
    return _webhook(
        context.services.webhooks.enable(caller.require(SCOPE), webhook_id, grant=caller.grant)
    )


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    responses=PROBLEMS
    | problems("COACH-WHK-001", "COACH-WHK-004")
    | {
        202: {
            "links": {
                "redeliver": {
                    "operationId": "redeliver",
                    "parameters": {
                        "webhook_id": "$request.path.webhook_id",
                        "delivery_id": "$response.body#/id",
                    },
                }
            }
        }
    },
)
def send_test(
    webhook_id: uuid.UUID,
    caller: Caller,
    context: InContext,
    idempotency_key: IdempotencyKey = None,
) -> Delivery:
    """Send a `webhook.test`; look at the deliveries to see what the receiver answered."""
    row = context.services.webhooks.test(
        caller.require(SCOPE), webhook_id, grant=caller.grant,
        operation_id=_operation(caller, f"test {webhook_id}", idempotency_key),
    )  # fmt: skip
    return _delivery(row)


@router.get(
    "/{webhook_id}/deliveries",
    responses=PROBLEMS | problems("COACH-WHK-001", "COACH-WHK-003"),
)
def list_deliveries(
    webhook_id: uuid.UUID,
    caller: Caller,
    context: InContext,
    state: Annotated[
        list[Annotated[str, one_of(*STATES)]] | None, Query(description="All if none.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Deliveries:
    """The newest deliveries to a receiver, and what became of them."""
    rows = context.services.webhooks.deliveries(
        caller.require(SCOPE), webhook_id, grant=caller.grant, states=state or (), limit=limit
    )
    return Deliveries(deliveries=[_delivery(each) for each in rows])


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    responses=PROBLEMS | problems("COACH-WHK-001", "COACH-WHK-004", "COACH-WHK-007"),
)
def redeliver(
    webhook_id: uuid.UUID,
    delivery_id: uuid.UUID,
    caller: Caller,
    context: InContext,
    idempotency_key: IdempotencyKey = None,
) -> Delivery:
    """Send a delivery once more; the receiver sees the same `webhook-id`."""
    row = context.services.webhooks.redeliver(
        caller.require(SCOPE), webhook_id, delivery_id, grant=caller.grant,
        operation_id=_operation(caller, f"redeliver {delivery_id}", idempotency_key),
    )  # fmt: skip
    return _delivery(row)


def describe(app: FastAPI) -> None:
    """Put the events into the API description (OpenAPI 3.1 `webhooks`), one for each type."""
    for name, data in EVENTS.items():
        fields: dict[str, Any] = {
            "type": (Annotated[str, Field(json_schema_extra={"const": name})], ...),
            "timestamp": (dt.datetime, ...),
            "data": (data, ...),
        }
        title = f"{name.title().replace('.', '')}Event"
        body = create_model(title, __doc__=data.__doc__, **fields)
        app.webhooks.add_api_route(
            name, _receiver(body), methods=["POST"], name=name, status_code=204,
            tags=["events"], summary=(data.__doc__ or "").partition("\n")[0],
            responses={"4XX": {"description": "Not taken: it is sent again. 410 ends all of it."}},
            openapi_extra={"security": []},  # the signature is what the receiver checks
        )  # fmt: skip


def _receiver(body: type[BaseModel]) -> Callable[..., None]:
    def receive(
        event: BaseModel,
        webhook_id: Annotated[str, Header(description="The same at each attempt.")],
        webhook_timestamp: Annotated[
            int, Header(description="Seconds since 1970, of the attempt.")
        ],
        webhook_signature: Annotated[str, Header(description="`v1,…`, by spaces if several.")],
    ) -> None:
        """Answer 2xx within 15 seconds, else it is sent again for three days; 410 ends it."""

    receive.__annotations__["event"] = body  # a name of this function, which no string can tell
    return receive


def _operation(caller: Calling, what: str, key: str | None) -> uuid.UUID | None:
    """The id of a call that may be repeated: of the caller, what it does, and its key."""
    if key is None:
        return None
    text = f"webhooks {caller.actor.user_id} {what} {key}"
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5)


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook.model_validate(row, from_attributes=True)


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery.model_validate(row, from_attributes=True)
