"""Who sits in this kernel: learnt once, from the ticket of the request that the page answers.

A page's kernel is started without a user, a warm one before anybody came. So a page imports first,
then calls `shown`, which waits until the gate's request arrives, redeems its ticket over the private
listener, and only then builds the page with that person's rights. Whatever fails on the way leaves
the page without data (an error card, no actor).
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from coachops.bootstrap import Services, services
from coachops.core import clock, request
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.dashboards import conditions
from coachops.dashboards.components import error_card
from coachops.identity.runtime import CLAIM_VARIABLE

log = logging.getLogger("coachops.dashboards")

TICKET_VARIABLE = "HTTP_X_KERNEL_TICKET"
"""Name under which Voila hands over the gate's header (RFC 3875, section 4.1.18)."""

_CLAIM_SECONDS = 10.0
_RETRY_SECONDS = 0.5


@cache
def current_actor() -> Actor:
    """The person for whom this kernel's page was opened; waits in a warm kernel.

    Raises:
        CoachError: COACH-IDN-013 outside the gate, or when the ticket is not accepted.
    """
    kernel_id = os.environ.get("VOILA_KERNEL_ID", "")
    path = os.environ.get(CLAIM_VARIABLE, "")
    if not kernel_id or not path:
        raise CoachError("COACH-IDN-013")
    warm = os.environ.get("VOILA_PREHEAT") == "True"
    ticket = _wait_for_ticket() if warm else os.environ.pop(TICKET_VARIABLE, "")
    return claim(Path(path), ticket, kernel_id)


@cache
def kernel_services() -> Services:
    """The services of this kernel, made once; every call on them carries the actor."""
    return services()


def shown(
    build: Callable[[Actor, Services], Any],
    actor: Actor | None = None,
    wired: Services | None = None,
) -> Any:
    """The widget of a page, or an error card that says what to do.

    Parameters:
        build: makes the page for an actor.
        actor, wired: given in tests; in a kernel they are found out here.
    """
    with request.using():
        try:
            # before the wait: a warm kernel is connected already
            wired = wired or kernel_services()
            page = build(actor or current_actor(), wired)
            conditions.attach(page, wired)
            return page  # noqa: TRY300 whatever fails above is an error card
        except CoachError as error:
            log.warning("the page was not shown: %s", error.code)
            return error_card(error)


def claim(path: Path, ticket: str, kernel_id: str) -> Actor:
    """Redeem a ticket at the private listener.

    Raises:
        CoachError: COACH-IDN-013, whatever the reason: the page must not tell them apart.
    """
    if not ticket:
        raise CoachError("COACH-IDN-013")
    request = json.dumps({"ticket": ticket, "kernel_id": kernel_id}).encode() + b"\n"
    deadline = clock.monotonic() + _CLAIM_SECONDS
    reply: dict[str, Any] = {}
    while not reply:
        try:
            reply = json.loads(_exchange(path, request))
        except (ConnectionRefusedError, FileNotFoundError):
            if clock.monotonic() > deadline:  # the gate is restarting for too long
                raise CoachError("COACH-IDN-013") from None
            _pause()
        except (OSError, ValueError) as error:
            raise CoachError("COACH-IDN-013") from error
    row = reply.get("actor")
    if not row:
        raise CoachError("COACH-IDN-013")
    return Actor(
        user_id=uuid.UUID(row["user_id"]),
        role=row["role"],
        name=row["name"],
        coach_id=uuid.UUID(row["coach_id"]) if row["coach_id"] else None,
        permissions=frozenset(row["permissions"]),
    )


def _exchange(path: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CLAIM_SECONDS)
        connection.connect(str(path))
        connection.sendall(request)
        with connection.makefile("rb") as reader:
            return reader.readline(64 * 1024)


def _wait_for_ticket() -> str:
    """Wait until Voila gives this warm kernel to a request; the ticket in the request's header.

    Voila's own helper waits once for five seconds and then goes on without a user; this one waits
    as long as it takes, over restarts of the connection.
    """
    from websockets.exceptions import WebSocketException  # noqa: PLC0415 kernels only
    from websockets.sync.client import connect  # noqa: PLC0415 kernels only

    address = "ws://127.0.0.1:{VOILA_APP_PORT}{VOILA_SERVER_URL}voila/query/{VOILA_KERNEL_ID}"
    url = address.format_map(os.environ)
    while True:
        try:
            with connect(url, open_timeout=30, proxy=None) as connection:
                request = json.loads(connection.recv())
            return str(request.get(TICKET_VARIABLE, ""))
        except (OSError, TimeoutError, WebSocketException):
            _pause()


def _pause() -> None:
    threading.Event().wait(_RETRY_SECONDS)
