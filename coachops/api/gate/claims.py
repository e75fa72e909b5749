"""The private listener where kernels redeem tickets: a Unix socket in a folder of mode 0700.

One line of JSON each way. It is not on the public port, so no browser can reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from coachops.core.actor import Actor
from coachops.core.errors import CoachError

log = logging.getLogger("coachops.gate")

_WAIT = 5.0
_LONGEST = 4096

Claim = Callable[[str, str], Awaitable[Actor]]


@contextlib.asynccontextmanager
async def listening(socket: Path, claim: Claim) -> AsyncIterator[None]:
    """Answer claims at `socket` inside the block (a stale file of an earlier run is replaced).

    Parameters:
        claim: (ticket, kernel id) -> who sits there; raises CoachError.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), _WAIT)
            writer.write(json.dumps(await _reply(line, claim)).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            log.warning("a claim was cut off")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(answer, path=socket, limit=_LONGEST)
    try:
        yield
    finally:
        server.close()


async def _reply(line: bytes, claim: Claim) -> dict[str, object]:
    try:
        request = json.loads(line)
        ticket, kernel_id = str(request["ticket"]), str(request["kernel_id"])
        actor = await claim(ticket, kernel_id)
    except CoachError as error:
        return {"error": error.code}
    except (ValueError, KeyError, TypeError):
        return {"error": "COACH-IDN-013"}
    return {
        "actor": dataclasses.asdict(actor)
        | {
            "user_id": str(actor.user_id),
            "coach_id": str(actor.coach_id) if actor.coach_id else None,
            "permissions": sorted(actor.permissions),
        }
    }
