"""A real mail server for tests on a free port, and the ways in which one can fail.

`fault` is one of:
    ""               takes every letter
    "refuse_rcpt"    says 550 to the recipient
    "unknown_rcpt"   says 550 5.1.1 to the recipient: there is no such mailbox
    "busy_rcpt"      says 451 to the recipient
    "refuse_data"    says 554 to the letter
    "drop_at_data"   takes the letter, then closes the connection without an answer
    "silent"         takes the letter, then never answers
    "drop_early"     closes the connection at RCPT
"""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Protocol  # noqa: N811 the server side of the protocol
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.support.patience import PATIENCE
from tests.support.postgres import free_port


class SmtpTestServer:
    """A mail server in a thread; letters that it took are in `taken`.

    Parameters:
        fault: see the module.
        tls: offers STARTTLS with this context.
    implicit_tls: speaks TLS from the first byte with this context.
        password: the only one that AUTH accepts (and AUTH is offered); None for a server without.
        port: to listen on; None for a free one.
    """

    def __init__(
        self,
        fault: str = "",
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: ssl.SSLContext | None = None,
        password: str | None = None,
        port: int | None = None,
    ) -> None:
        self.fault = fault
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.encrypted: list[bool] = []
        self.port = port or free_port()
        self._transports: list[Any] = []
        self._arrived = threading.Condition()
        options: dict[str, Any] = {}
        if tls is not None:
            options["tls_context"] = tls
        if implicit_tls is not None:
            options["ssl_context"] = implicit_tls
        if password is not None:
            options["authenticator"] = self._authenticator(password)
            options["auth_require_tls"] = False
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, ready_timeout=PATIENCE, **options
        )

    @staticmethod
    def _authenticator(password: str) -> Any:
        def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
            given = cast(LoginPassword, data).password
            return AuthResult(success=given == password.encode(), handled=False)

        return check

    def wait_for(self, letters: int, seconds: float = PATIENCE) -> int:
        """How many letters it has taken, once there are as many; the client may have gone already."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.taken) >= letters, seconds)
        return len(self.taken)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        loop = self._controller.loop
        for transport in self._transports:
            loop.call_soon_threadsafe(transport.close)
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 named by the library
        self, server: Protocol, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.fault == "refuse_rcpt":
            return f"550 no such user {address}"
        if self.fault == "unknown_rcpt":
            return f"550 5.1.1 <{address}> unknown"
        if self.fault == "busy_rcpt":
            return "451 try again later"
        if self.fault == "drop_early":
            self._close(server)
            return "250 OK"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 as above
        self, server: Protocol, session: Any, envelope: Envelope
    ) -> str:
        if self.fault == "refuse_data":
            return "554 refused"
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        with self._arrived:
            self.taken.append(email.message_from_bytes(content, policy=default))
            self._arrived.notify_all()
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.encrypted.append(session.ssl is not None)
        if self.fault == "drop_at_data":
            self._close(server)
        elif self.fault == "silent":
            self._transports.append(server.transport)
            await asyncio.Event().wait()
        return "250 OK"

    @staticmethod
    def _close(server: Protocol) -> None:
        assert server.transport is not None
        server.transport.abort()  # type: ignore[attr-defined]
