"""Handing a letter over: to a mail server, or as a file into the outbox.

What matters is the answer: taken; surely not taken (`COACH-MSG-003`, `COACH-MSG-009`, and
`COACH-MSG-011` where the address itself is refused for good); or unknown (`COACH-MSG-004`). The
detail `temporary` of the first says whether a later try makes sense by itself. Unknown begins when the last line of the letter leaves this machine and ends with
the server's answer to it (RFC 5321, section 4.5.3.2.6 and 6.1): before, the server must not deliver.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from coachops.coaching.messages.statuses import enhanced_status, is_address_refused
from coachops.coaching.messages.wire import stuffed, written
from coachops.core.errors import CoachError
from coachops.core.settings import Settings

STEP_TIMEOUT = 15.0
"""Seconds to wait for the server in each step but the last."""
FINAL_TIMEOUT = 60.0
"""Seconds to wait for the answer that decides."""


class Mailer(Protocol):
    """Takes letters."""

    def deliver(self, letter: EmailMessage, *, sender: str, recipient: str) -> None:
        """Hand the letter over; returning means that it was taken.

        Raises:
            CoachError: COACH-MSG-003, COACH-MSG-009 or COACH-MSG-011 surely not taken,
                COACH-MSG-004 unknown.
        """


def mailer_for(settings: Settings) -> Mailer:
    """SMTP where a server is set, else the outbox.

    Raises:
        CoachError: COACH-SYS-001 where COACHOPS_SMTP_URL is not valid.
    """
    url = settings.smtp_url.get_secret_value()
    return SmtpMailer(parse_smtp_url(url)) if url else OutboxMailer(settings.outbox)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how to reach a mail server.

    Attributes:
        implicit_tls: encrypted from the first byte (smtps://).
        tls: STARTTLS `auto` (when the server offers it), `required` or `off`.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    implicit_tls: bool = False
    tls: Literal["auto", "required", "off"] = "auto"


def parse_smtp_url(url: str) -> SmtpServer:
    """`smtp://user:password@host:587?tls=required` or `smtps://…` as a server.

    Raises:
        CoachError: COACH-SYS-001, without the password.
    """

    def refuse(reason: str) -> CoachError:
        return CoachError("COACH-SYS-001", name="COACHOPS_SMTP_URL", reason=reason)

    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"}:
        raise refuse("it must start with smtp:// or smtps://")
    try:
        port = parts.port
    except ValueError:
        raise refuse("its port is not a number from 1 to 65535") from None
    if not parts.hostname or parts.path not in {"", "/"}:
        raise refuse("write it as smtp://user:password@host:587")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = options.pop("tls", "auto")
    if options or tls not in {"auto", "required", "off"}:
        raise refuse("the only option is tls=auto, tls=required or tls=off")
    implicit = parts.scheme == "smtps"
    return SmtpServer(
        host=parts.hostname,
        port=port or (465 if implicit else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        implicit_tls=implicit,
        tls="off" if tls == "off" else "required" if tls == "required" else "auto",
    )


class SmtpMailer:
    """Hands letters to a mail server, one connection each.

    Parameters:
        server: where.
        context: what TLS certificates are trusted; None for the system's.
        step_timeout, final_timeout: seconds; see the constants.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        context: ssl.SSLContext | None = None,
        step_timeout: float = STEP_TIMEOUT,
        final_timeout: float = FINAL_TIMEOUT,
    ) -> None:
        self._server = server
        self._context = context
        self._step_timeout = step_timeout
        self._final_timeout = final_timeout

    def deliver(self, letter: EmailMessage, *, sender: str, recipient: str) -> None:
        """See `Mailer`."""
        data = stuffed(letter)
        connection: smtplib.SMTP | None = None
        try:
            connection = self._connect()
            self._sign_in(connection)
            self._expect(connection.mail(sender), 250, "MAIL")
            self._expect(connection.rcpt(recipient), 250, "RCPT")
            self._expect(connection.docmd("DATA"), 354, "DATA")
            connection.send(data)
        except CoachError:
            _hang_up(connection)
            raise
        except (smtplib.SMTPException, OSError) as error:
            _hang_up(connection)
            raise _not_taken(error) from error
        self._finish(connection)

    def _finish(self, connection: smtplib.SMTP) -> None:
        """The last line and its answer: from here on an error means unknown."""
        try:
            if connection.sock is not None:
                connection.sock.settimeout(self._final_timeout)
            connection.send(b".\r\n")
            code, text = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            _hang_up(connection)
            raise CoachError("COACH-MSG-004") from error
        if code == 250:
            _quit(connection)
            return
        _hang_up(connection)
        if 400 <= code < 600:
            raise _refusal(code, text, "the letter")
        raise CoachError("COACH-MSG-004")

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = self._context or ssl.create_default_context()
        if server.implicit_tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._step_timeout, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=self._step_timeout)
        try:
            connection.ehlo_or_helo_if_needed()
            if server.implicit_tls or server.tls == "off":
                return connection
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
                connection.ehlo_or_helo_if_needed()
                return connection
        except BaseException:
            _hang_up(connection)
            raise
        if server.tls == "required":
            _hang_up(connection)
            raise CoachError("COACH-MSG-009")
        return connection

    def _sign_in(self, connection: smtplib.SMTP) -> None:
        server = self._server
        if not server.user:
            return
        encrypted = isinstance(connection.sock, ssl.SSLSocket)
        if not encrypted and server.tls != "off" and not _is_this_machine(server.host):
            raise CoachError("COACH-MSG-009")  # a password never crosses a network in the clear
        try:
            connection.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            if 400 <= error.smtp_code < 500:  # its user list is away (RFC 4954, section 4.7.0)
                raise _not_taken(error) from error
            raise CoachError("COACH-MSG-009") from error
        except smtplib.SMTPNotSupportedError as error:
            raise CoachError("COACH-MSG-009") from error

    @staticmethod
    def _expect(answer: tuple[int, bytes], wanted: int, step: str) -> None:
        """Refuse another answer than the wanted one."""
        code, text = answer
        if code != wanted and not (wanted == 250 and code == 251):
            raise _refusal(code, text, step)


class OutboxMailer:
    """Writes each letter as an `.eml` file; the same letter again replaces its own file.

    Parameters:
        folder: made when the first letter comes, readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, letter: EmailMessage, *, sender: str, recipient: str) -> None:
        """See `Mailer`. The file is complete or absent: written aside, then renamed."""
        name = re.sub(r"[^A-Za-z0-9.-]", "_", str(letter["Message-ID"]).strip("<>").split("@")[0])
        draft = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(written(letter))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / f"{name}.eml")
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)  # half a letter is none
            raise CoachError("COACH-MSG-003", reason=_reason(error), temporary=True) from error


def _hang_up(connection: smtplib.SMTP | None) -> None:
    if connection is not None:
        connection.close()


def _quit(connection: smtplib.SMTP) -> None:
    """Part politely; the letter is taken, whatever happens now."""
    try:
        connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()


def _is_this_machine(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}


def _refusal(code: int, text: bytes, step: str) -> CoachError:
    """The error for an answer; its text is not shown, since servers repeat addresses in it."""
    status = enhanced_status(text)
    if step == "RCPT" and 500 <= code < 600 and is_address_refused(status):
        return CoachError("COACH-MSG-011", status=status)
    return CoachError(
        "COACH-MSG-003",
        reason=f"answer {code} to {step}",
        temporary=400 <= code < 500,
        returned=step == "RCPT" and 500 <= code < 600,
        status=status,
    )


def _not_taken(error: Exception) -> CoachError:
    """The error for a conversation that broke off before the last line of the letter."""
    if isinstance(error, smtplib.SMTPResponseException):
        temporary = 400 <= error.smtp_code < 500
    else:  # a certificate that is not accepted stays so until somebody acts
        temporary = not isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError)
    return CoachError("COACH-MSG-003", reason=_reason(error), temporary=temporary)


def _reason(error: Exception) -> str:
    """What went wrong, in words without addresses."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"answer {error.smtp_code}"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection was closed"
    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return "the encrypted connection failed"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
