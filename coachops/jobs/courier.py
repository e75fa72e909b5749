"""The courier: the thread of a worker that delivers webhooks.

The rows of the outbox are its queue, so it needs no other. Each round asks which endpoints have
something due and takes one delivery of each; several couriers share the work by the lease at the
endpoint. Attempts run side by side, those to endpoints that fail at present on half of the places, so
that receivers which hang never hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from coachops import webhooks
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.webhooks import ChangeSource
from coachops.webhooks.delivering import Taken, due_endpoints, note, open_letter, take
from coachops.webhooks.sending import Answer, send

if TYPE_CHECKING:
    from coachops.bootstrap import Services

T = TypeVar("T")

ROUND = 0.5
"""Seconds between two looks at the outbox."""
PLACES = 32
"""Attempts at a time in one worker."""
FAILING_PLACES = PLACES // 2
"""Of these, at most so many to endpoints whose newest attempts failed."""
IN_A_ROW = 20
"""Deliveries to one endpoint before others have a turn."""
STOP_SECONDS = 2.0
"""How long stopping waits for attempts; what is cut off is sent again at the next start."""
CHANGES_EVERY = 1.0
"""Seconds between two looks whether data changed."""
_STORE_THREADS = 4
"""Kept apart from the threads that resolve names, which may take long."""

_log = logging.getLogger(__name__)


class Courier:
    """Delivers what is due between `start` and `stop`.

    Parameters:
        changes: where the change feed stands, for `data.changed`; None: nobody is told of changes.
    """

    def __init__(self, services: Services, *, changes: ChangeSource | None = None) -> None:
        self._services = services
        self._database = services.database
        self._webhooks = services.webhooks
        self._changes = changes
        self._store = ThreadPoolExecutor(_STORE_THREADS, "coachops-outbox")
        self._busy: dict[uuid.UUID, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="coachops-courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End: attempts in progress get a moment, then they are broken off and made again later."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._work())
        self._store.shutdown()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        look_again = clock.monotonic()
        while not self._stopping.is_set():
            self._wake.clear()
            await self._guarded("due", self._begin_due)
            if self._changes is not None and clock.monotonic() >= look_again:
                await self._guarded("changes", self._tell_changes)
                look_again = clock.monotonic() + CHANGES_EVERY
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), ROUND)
        await self._finish()

    async def _finish(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin_due(self) -> None:
        for endpoint_id, failing in await self._in_store(
            functools.partial(
                due_endpoints,
                self._database,
                PLACES + len(self._busy),
                self._webhooks.seal.key_id,
            )
        ):
            places = FAILING_PLACES if failing else PLACES
            taken = sum(self._busy.values()) if failing else len(self._busy)
            if endpoint_id in self._busy or taken >= places or len(self._busy) >= PLACES:
                continue
            self._busy[endpoint_id] = failing
            task = asyncio.create_task(self._deliver(endpoint_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_changes(self) -> None:
        source = self._changes
        if source is None:
            return
        every = self._services.settings.webhook_changes_seconds
        if await self._in_store(lambda: webhooks.tell_changes(self._database, source, every)):
            self._wake.set()

    async def _deliver(self, endpoint_id: uuid.UUID) -> None:
        """Deliver what is due to one endpoint, as long as it accepts."""
        try:
            for _ in range(IN_A_ROW):
                if not await self._guarded("delivery", lambda: self._deliver_one(endpoint_id)):
                    return
        finally:
            del self._busy[endpoint_id]
            self._wake.set()

    async def _deliver_one(self, endpoint_id: uuid.UUID) -> bool:
        """One delivery; whether there was one and it was accepted."""
        taken = await self._in_store(
            lambda: take(self._database, endpoint_id, self._webhooks.origin)
        )
        if taken is None:
            return False
        try:
            answer = await self._attempt(taken)
        except asyncio.CancelledError:
            answer = Answer(failure="stopped")
        state = await self._in_store(lambda: note(self._database, taken, answer))
        if answer.failure:
            _log.warning(
                "a webhook was not accepted",
                extra={
                    "webhook_id": str(endpoint_id), "delivery_id": str(taken.delivery_id),
                    "failure": answer.failure, "status": answer.status,
                    "attempt": taken.attempt, "state": state,
                },
            )  # fmt: skip
        return not answer.failure and not self._stopping.is_set()

    async def _attempt(self, taken: Taken) -> Answer:
        letter = open_letter(taken, self._webhooks.seal)
        if letter is None:
            return Answer(failure="key")
        return await send(letter, self._webhooks.rules)

    async def _guarded(self, name: str, part: Callable[[], object]) -> bool:
        """Run a part; what fails is found again by the next round."""
        try:
            found = part()
            return bool(await found if asyncio.iscoroutine(found) else found)
        except CoachError as error:
            _log.warning("a round failed", extra={"part": name, "code": error.code})
        except Exception as error:  # the courier must go on
            _log.error(
                "a round failed unexpectedly", extra={"part": name, "error": type(error).__name__}
            )
        return False

    async def _in_store(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store, call)
