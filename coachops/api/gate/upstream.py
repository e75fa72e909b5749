"""Voila as the gate sees it: one HTTP client with the token, a cache of its static files."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from coachops.identity.runtime import Runtime

TICKET_HEADER = "X-Kernel-Ticket"
_CACHE_BYTES = 96 << 20


class VoilaDownError(Exception):
    """Voila does not answer, or not with a page; a page that reloads itself tells so."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of this release: it never changes while the process runs."""

    content: bytes
    media_type: str
    etag: str


class Upstream:
    """Voila behind the gate.

    Parameters:
        runtime: its port and token.
        public_host: host and port that browsers use, for addresses that Voila writes into pages.
    """

    def __init__(self, runtime: Runtime, public_host: str) -> None:
        self._token = f"token {runtime.voila_token}"
        self.socket_base = f"ws://127.0.0.1:{runtime.voila_port}"
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{runtime.voila_port}",
            headers={"Authorization": self._token, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(10, read=120),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=20),
            trust_env=False,  # never through a proxy: the token is in every request
        )
        self._public_host = public_host
        self._files: dict[str, StaticFile] = {}
        self._held = 0

    @property
    def authorization(self) -> dict[str, str]:
        """The header that opens Voila."""
        return {"Authorization": self._token}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def is_up(self) -> bool:
        """Whether Voila answers within two seconds."""
        try:
            response = await self._client.get("/app/voila/static/voila.js", timeout=2)
        except httpx.HTTPError:
            return False
        return response.status_code == 200

    async def page(self, name: str, ticket: str) -> AsyncIterator[bytes]:
        """The HTML of a page as it is made. Raises VoilaDownError before the first byte, or never."""
        request = self._client.build_request(
            "GET",
            f"/app/voila/render/{name}.ipynb",
            headers={TICKET_HEADER: ticket, "Host": self._public_host},
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise VoilaDownError from error
        if response.status_code != 200:
            await response.aclose()
            raise VoilaDownError

        async def body() -> AsyncIterator[bytes]:
            try:
                async for part in response.aiter_raw():
                    yield part
            finally:
                await response.aclose()

        return body()

    async def kernel_model(self, kernel_id: str) -> bytes | None:
        """Voila's JSON about a kernel, or None where it does not run. Raises VoilaDownError."""
        try:
            response = await self._client.get(f"/app/api/kernels/{kernel_id}")
        except httpx.HTTPError as error:
            raise VoilaDownError from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise VoilaDownError
        return response.content

    async def end_kernel(self, kernel_id: str) -> bool:
        """End a kernel's process; whether it is gone (also where it was already)."""
        try:
            response = await self._client.delete(f"/app/api/kernels/{kernel_id}", timeout=15)
        except httpx.HTTPError:
            return False
        return response.status_code in {204, 404}

    async def static_file(self, path: str) -> StaticFile | None:
        """A file of Voila's, from memory after the first time. Raises VoilaDownError."""
        found = self._files.get(path)
        if found is not None:
            return found
        try:
            response = await self._client.get(f"/app/{path}")
        except httpx.HTTPError as error:
            raise VoilaDownError from error
        if response.status_code != 200:
            return None
        content = response.content
        found = StaticFile(
            content,
            response.headers.get("content-type", "application/octet-stream"),
            f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        )
        if self._held + len(content) <= _CACHE_BYTES:
            self._held += len(content)
            self._files[path] = found
        return found
