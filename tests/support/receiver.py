"""A receiver of webhooks: a real HTTP server on a free loopback port whose answers a test decides."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks.webhooks import Webhook

from tests.support.patience import PATIENCE


@dataclass(frozen=True)
class Received:
    """A request as it came: header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The document, after a verification by the library of receivers."""
        return Webhook(secret).verify(self.body, self.headers)


Behaviour = Callable[["Handler", Received], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answers each request so."""

    def behave(handler: Handler, _request: Received) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def resets(handler: Handler, _request: Received) -> None:
    """Breaks the connection off instead of answering."""
    # with a linger time of nothing, closing sends RST
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


class Handler(BaseHTTPRequestHandler):
    """Takes a request down and behaves as the receiver says."""

    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.path, headers, self.rfile.read(length))
        if len(request.body) != length:  # the sender died in the middle: no request
            self.close_connection = True
            return
        self.server.receiver.take(self, request)

    def do_GET(self) -> None:
        """What a followed redirect would make of it."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Nothing on the standard error."""


class Server(ThreadingHTTPServer):
    receiver: Receiver
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no event."""


@dataclass
class Receiver:
    """Answers 204 unless `behaviour` says otherwise; `then` holds what comes first, one each.

    `hang` keeps requests open until `release` or the end.
    """

    tls: ssl.SSLContext | None = None
    behaviour: Behaviour = field(default_factory=lambda: answers(204))
    then: list[Behaviour] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._came = threading.Condition()
        self._released = threading.Event()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.receiver = self
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{host}:{self.port}{path}"

    def take(self, handler: Handler, request: Received) -> None:
        with self._came:
            self.requests.append(request)
            behave = self.then.pop(0) if self.then else self.behaviour
            self._came.notify_all()
        behave(handler, request)

    def hang(self, handler: Handler, _request: Received) -> None:
        """A behaviour: no answer while the test runs."""
        self._released.wait()
        handler.close_connection = True

    def wait_for(self, count: int) -> list[Received]:
        """The requests once there are so many of them."""
        with self._came:
            if not self._came.wait_for(lambda: len(self.requests) >= count, timeout=PATIENCE):
                raise AssertionError(f"{len(self.requests)} of {count} requests came")
            return list(self.requests)
