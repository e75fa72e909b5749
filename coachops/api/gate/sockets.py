"""The websocket of a page to its kernel, passed on in both directions while its owner is signed in."""

from __future__ import annotations

import asyncio
import contextlib
import re

import websockets
from fastapi import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from coachops.api.gate.upstream import Upstream

_PROTOCOL = "v1.kernel.websocket.jupyter.org"
_LARGEST = 64 << 20
_CLOSED = (RuntimeError, OSError, WebSocketDisconnect)
"""What closing a socket raises that the other side has closed already."""

GONE = 4404
REFUSED = 4403


class Sockets:
    """The open sockets of this process, by kernel."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._open: dict[str, set[WebSocket]] = {}

    def kernels(self) -> list[str]:
        """Kernels whose page is open here."""
        return list(self._open)

    def is_open(self, kernel_id: str) -> bool:
        """Whether a page of this kernel is open here."""
        return kernel_id in self._open

    async def close_all(self, kernel_id: str) -> None:
        """Close every socket of a kernel."""
        for websocket in list(self._open.get(kernel_id, ())):
            with contextlib.suppress(*_CLOSED):
                await websocket.close(REFUSED)

    async def relay(self, websocket: WebSocket, kernel_id: str) -> None:
        """Join the browser's socket with the kernel's until either ends."""
        offered = websocket.scope.get("subprotocols", [])
        name = re.sub(r"[^\w-]", "", websocket.query_params.get("session_id", ""))[:64]
        try:
            kernel = await connect(
                f"{self._upstream.socket_base}/app/api/kernels/{kernel_id}/channels"
                f"?session_id={name or 'page'}",
                subprotocols=[Subprotocol(_PROTOCOL)] if _PROTOCOL in offered else None,
                additional_headers=self._upstream.authorization,
                compression=None,
                max_size=_LARGEST,
                ping_interval=None,
                open_timeout=10,
                proxy=None,
            )
        except (OSError, TimeoutError, websockets.WebSocketException):
            await websocket.close(GONE)
            return
        await websocket.accept(subprotocol=kernel.subprotocol)
        self._open.setdefault(kernel_id, set()).add(websocket)
        tasks = [
            asyncio.create_task(_to_kernel(websocket, kernel)),
            asyncio.create_task(_to_browser(websocket, kernel)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            left = self._open.get(kernel_id, set())
            left.discard(websocket)
            if not left:
                self._open.pop(kernel_id, None)
            await kernel.close()
            with contextlib.suppress(*_CLOSED):
                await websocket.close()


async def _to_kernel(websocket: WebSocket, kernel: ClientConnection) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        await kernel.send(data if data is not None else message["text"])


async def _to_browser(websocket: WebSocket, kernel: ClientConnection) -> None:
    async for message in kernel:
        if isinstance(message, bytes):
            await websocket.send_bytes(message)
        else:
            await websocket.send_text(message)
