"""`coachops webhook`: who is told when something happened, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.webhooks.rows import DeliveryRow, WebhookRow

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Tell other systems that something happened."
)

WebhookId = Annotated[str, typer.Argument(help="Id from 'coachops webhook list'.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Address of the receiver, https://…")],
    event: Annotated[
        list[str], typer.Option(help="What to tell; repeat for several ('webhook events').")
    ],
    description: Annotated[str, typer.Option(help="What receives it, for the list.")] = "",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Tell of these datasets only; repeat for several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a receiver and print the secret that it verifies with; it is shown this once.

    Example:  coachops webhook add https://crm.example.org/coachops --event export.ready
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.core.grants import Grant  # noqa: PLC0415 as above

    limits = Grant(datasets=frozenset(dataset) if dataset else None)
    with opened() as services:
        secret, row = services.webhooks.add(SYSTEM, url, event, description, limits=limits)

    def text() -> None:
        typer.echo(f"Webhook {row.id} tells of {', '.join(row.event_types)}.", err=True)
        typer.echo("Give this secret to the receiver now; it is not shown again:", err=True)
        typer.echo(secret)

    emit({"secret": secret, "webhook": row}, as_json=as_json, text=text)


@app.command()
def events(as_json: JsonOption = False) -> None:
    """List what a webhook can tell of.

    Example:  coachops webhook events
    """
    from coachops.webhooks import CHOICES, EVENTS  # noqa: PLC0415 imports SQLAlchemy

    rows = {name: (EVENTS[name].__doc__ or "").partition("\n")[0] for name in CHOICES}
    emit(
        {"events": rows}, as_json=as_json, text=lambda: table(["event", "tells"], [*rows.items()])
    )  # fmt: skip


@app.command("list")
def list_webhooks(as_json: JsonOption = False) -> None:
    """List the receivers, without their secrets.

    Example:  coachops webhook list
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        rows = services.webhooks.list_all(SYSTEM)

    def text() -> None:
        table(
            ["id", "address", "events", "state", "waiting", "description"],
            [
                [r.id, r.url, " ".join(r.event_types), _state(r), r.waiting, r.description]
                for r in rows
            ],
        )

    emit({"webhooks": rows}, as_json=as_json, text=text)


@app.command()
def show(webhook: WebhookId, as_json: JsonOption = False) -> None:
    """Show one receiver: what it is told, whether it works.

    Example:  coachops webhook show 0199…
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        row = services.webhooks.get(SYSTEM, _id(webhook))

    def text() -> None:
        limits = {"datasets": row.datasets, "coaches": row.coaches, "clients": row.clients}
        told = {
            "address": row.url, "description": row.description,
            "events": ", ".join(row.event_types), "state": _state(row), "waiting": row.waiting,
            **{name: ", ".join(each) for name, each in limits.items() if each is not None},
            "old secret also signs until": row.previous_until,
            "added": f"{row.created_at:%Y-%m-%d %H:%M} UTC",
        }  # fmt: skip
        table(["", ""], [[name, value] for name, value in told.items() if value not in {None, ""}])

    emit({"webhook": row}, as_json=as_json, text=text)


@app.command()
def remove(webhook: WebhookId, as_json: JsonOption = False) -> None:
    """Remove a receiver; what waits for it is not sent.

    Example:  coachops webhook remove 0199…
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        services.webhooks.remove(SYSTEM, _id(webhook))
    emit({"removed": webhook}, as_json=as_json, text=lambda: typer.echo("It is removed."))


@app.command()
def rotate(webhook: WebhookId, as_json: JsonOption = False) -> None:
    """Make a new secret and print it once; the old one signs beside it for a day.

    Example:  coachops webhook rotate 0199…
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        secret, row = services.webhooks.rotate(SYSTEM, _id(webhook))

    def text() -> None:
        until = row.previous_until
        old = "" if until is None else f" The old one also signs until {until:%Y-%m-%d %H:%M} UTC."
        typer.echo(f"Give this secret to the receiver now.{old}", err=True)
        typer.echo(secret)

    emit({"secret": secret, "webhook": row}, as_json=as_json, text=text)


@app.command()
def enable(webhook: WebhookId, as_json: JsonOption = False) -> None:
    """Send again to a receiver that was switched off after it failed for days.

    Example:  coachops webhook enable 0199…
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        row = services.webhooks.enable(SYSTEM, _id(webhook))
    emit({"webhook": row}, as_json=as_json, text=lambda: typer.echo("It is told again."))


@app.command("test")
def send_test(webhook: WebhookId, as_json: JsonOption = False) -> None:
    """Send a test now and say what the receiver answered; exit 1 where it was not accepted.

    Example:  coachops webhook test 0199…
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.webhooks.sending import FAILURES  # noqa: PLC0415 imports httpx

    with opened() as services:
        queued = services.webhooks.test(SYSTEM, _id(webhook))
        row = services.webhooks.deliver_now(SYSTEM, queued)
    if row.failure:
        status = f" {row.last_status}" if row.last_status else ""
        raise CoachError("COACH-WHK-008", reason=f"{FAILURES[row.failure]}{status}")
    done = f"Accepted with status {row.last_status}." if row.last_status else "A worker sends it."
    emit({"delivery": row}, as_json=as_json, text=lambda: typer.echo(done))


@app.command()
def deliveries(
    webhook: WebhookId,
    state: Annotated[
        list[str] | None, typer.Option(help="waiting, delivered, exhausted or dropped.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was sent to a receiver, and what became of it.

    Example:  coachops webhook deliveries 0199… --state exhausted
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        rows = services.webhooks.deliveries(
            SYSTEM, _id(webhook), states=state or (), limit=limit
        )  # fmt: skip
    emit({"deliveries": rows}, as_json=as_json, text=lambda: _print_deliveries(rows))


@app.command()
def redeliver(
    webhook: WebhookId,
    delivery: Annotated[str, typer.Argument(help="Id from 'coachops webhook deliveries'.")],
    as_json: JsonOption = False,
) -> None:
    """Send a delivery once more; the receiver sees the id of the first time.

    Example:  coachops webhook redeliver 0199… 0199…
    """
    from coachops.core import ids  # noqa: PLC0415 kept out of --help
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    delivery_id = ids.parse_id(delivery)
    if delivery_id is None:
        raise CoachError("COACH-WHK-007", ref=delivery)
    with opened() as services:
        row = services.webhooks.redeliver(SYSTEM, _id(webhook), delivery_id)
    emit(
        {"delivery": row}, as_json=as_json, text=lambda: typer.echo("A worker sends it again.")
    )  # fmt: skip


def _id(text: str) -> uuid.UUID:
    from coachops.core import ids  # noqa: PLC0415 kept out of --help

    found = ids.parse_id(text)
    if found is None:
        raise CoachError("COACH-WHK-001", ref=text)
    return found


def _state(row: WebhookRow) -> str:
    if row.disabled_reason:
        return f"off ({row.disabled_reason})"
    if row.failing_since:
        return f"failing since {row.failing_since:%Y-%m-%d %H:%M}"
    return row.state


def _print_deliveries(rows: Sequence[DeliveryRow]) -> None:
    table(
        ["id", "event", "happened", "state", "attempts", "answer", "next attempt"],
        [
            [
                r.id, r.event_type, f"{r.occurred_at:%Y-%m-%d %H:%M:%S}", r.state, r.attempts,
                " ".join(str(each) for each in (r.last_status, r.failure) if each),
                f"{r.next_at:%Y-%m-%d %H:%M:%S}" if r.next_at else "",
            ]
            for r in rows
        ],
    )  # fmt: skip
