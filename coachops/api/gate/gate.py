"""The gate's working parts and their life: upstream, sockets, claims, and the sweep of kernels."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from coachops.api.boundary import origin_of
from coachops.api.gate.claims import listening
from coachops.api.gate.sockets import Sockets
from coachops.api.gate.upstream import Upstream, VoilaDownError
from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.identity.kernels import TOUCH_EVERY
from coachops.identity.runtime import Runtime

log = logging.getLogger("coachops.gate")

P = ParamSpec("P")
T = TypeVar("T")

SWEEP_EVERY = 1.0
_REMEMBER = 3.0
"""Seconds that a sign-in is trusted for static files, of which a page asks for a hundred."""


def gate_name(home: Path) -> str:
    """The name under which the gate of a home marks its kernels; the same after a restart."""
    return hashlib.sha256(f"{socket.gethostname()}:{home}".encode()).hexdigest()[:32]


class Gate:
    """What stands between browsers and kernels.

    Parameters:
        services: of this process.
        runtime: where Voila and the private listener are.
    """

    def __init__(self, services: Services, runtime: Runtime) -> None:
        settings = services.settings
        origin = urlsplit(origin_of(settings.public_url))
        self.identity = services.identity
        self.grace = settings.kernel_grace
        self.limit = settings.kernels_per_session
        self.pages = {page.name: page for page in runtime.pages}
        self.upstream = Upstream(runtime, origin.netloc)
        self.sockets = Sockets(self.upstream)
        socket = f"{'wss' if origin.scheme == 'https' else 'ws'}://{origin.netloc}"
        self.page_csp = (
            "default-src 'self'; script-src 'self' 'unsafe-inline' blob:; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            f"connect-src 'self' {socket}; worker-src 'self' blob:; object-src 'none'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self._claim_socket = runtime.claim_socket
        self._name = gate_name(settings.home)
        self._threads = anyio.CapacityLimiter(8)
        self._leaving: set[str] = set()
        self._known: dict[uuid.UUID, tuple[Actor, float]] = {}

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call of the database off the event loop, in threads that sign-ins cannot use up."""
        return await anyio.to_thread.run_sync(
            functools.partial(call, *args, **kwargs), limiter=self._threads
        )

    async def actor_of(self, session_id: uuid.UUID | None) -> Actor:
        """Who a session belongs to now. Raises COACH-IDN-002."""
        if session_id is None:
            raise CoachError("COACH-IDN-002")
        return await self.ask(self.identity.actor_of, session_id)

    async def knows(self, session_id: uuid.UUID | None) -> None:
        """Admit a recent sign-in to static files. Raises COACH-IDN-002."""
        now = clock.monotonic()
        if session_id is not None:
            known = self._known.get(session_id)
            if known is not None and known[1] > now:
                return
            self._known = {key: row for key, row in self._known.items() if row[1] > now}
        actor = await self.actor_of(session_id)
        if session_id is not None:
            self._known[session_id] = (actor, now + _REMEMBER)

    async def owns(self, session_id: uuid.UUID | None, kernel_id: str) -> bool:
        """Whether a kernel belongs to this sign-in."""
        if session_id is None:
            return False
        return await self.ask(self.identity.owns_kernel, session_id, kernel_id)

    async def opened(self, kernel_id: str) -> None:
        """A page connects to its kernel."""
        self._leaving.discard(kernel_id)
        await self.ask(self.identity.touch_kernels, [kernel_id])

    async def closed(self, kernel_id: str) -> None:
        """A page's socket is closed; the kernel's grace begins."""
        if self.sockets.is_open(kernel_id):
            return
        if kernel_id in self._leaving:
            self._leaving.discard(kernel_id)
            await self.ask(self.identity.page_left, kernel_id, self.grace)
        else:
            await self.ask(self.identity.touch_kernels, [kernel_id])

    async def left(self, kernel_id: str) -> None:
        """The browser says that it leaves the page; its socket usually closes right after."""
        if self.sockets.is_open(kernel_id):
            self._leaving.add(kernel_id)
        else:
            await self.ask(self.identity.page_left, kernel_id, self.grace)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Accept claims and sweep inside the block."""

        async def claim(ticket: str, kernel_id: str) -> Actor:
            return await self.ask(self.identity.claim_kernel, ticket, kernel_id, self._name)

        async with listening(self._claim_socket, claim):
            sweep = asyncio.create_task(self._sweep_forever())
            try:
                yield
            finally:
                sweep.cancel()
                await asyncio.gather(sweep, return_exceptions=True)
                await self.upstream.close()

    async def _sweep_forever(self) -> None:
        adopted = False
        touched = 0.0
        while True:
            try:
                if not adopted:
                    adopted = await self._adopt()
                if clock.monotonic() - touched >= TOUCH_EVERY.total_seconds():
                    await self.ask(self.identity.touch_kernels, self.sockets.kernels())
                    touched = clock.monotonic()
                await self._sweep()
            except CoachError as error:  # the database is away: nothing is ended in doubt
                log.warning("sweep of kernels postponed: %s", error.code)
            except Exception as error:  # one bad round must not end the rounds
                log.error("sweep of kernels failed: %s", type(error).__name__)  # noqa: TRY400 a traceback may quote data
            await asyncio.sleep(SWEEP_EVERY)

    async def _adopt(self) -> bool:
        """After a restart: end rows of kernels that are gone; others wait for their pages."""
        await self.ask(self.identity.end_abandoned)
        running = await self.ask(self.identity.running_kernels, self._name)
        alive = []
        for kernel_id in running:
            try:
                if await self.upstream.kernel_model(kernel_id) is None:
                    await self.ask(self.identity.kernel_ended, kernel_id)
                else:
                    alive.append(kernel_id)
            except VoilaDownError:
                return False
        await self.ask(self.identity.adopt_kernels, alive)
        return True

    async def _sweep(self) -> None:
        doomed = await self.ask(
            self.identity.kernels_to_reap, self.grace, self._name, self.sockets.kernels()
        )
        await asyncio.gather(*(self._end(kernel_id) for kernel_id in doomed))

    async def _end(self, kernel_id: str) -> None:
        await self.sockets.close_all(kernel_id)
        if await self.upstream.end_kernel(kernel_id):
            await self.ask(self.identity.kernel_ended, kernel_id)
            self._leaving.discard(kernel_id)
            log.info("kernel ended", extra={"kernel_id": kernel_id})
