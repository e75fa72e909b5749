"""One attempt against receivers that behave badly: it always ends soon, with a word for what happened."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from coachops.core import clock
from coachops.webhooks import sending
from coachops.webhooks.addresses import Rules
from coachops.webhooks.secrets import new_secret
from coachops.webhooks.sending import FAILURES, TRANSLATED, Answer, Letter, send, word_for
from tests.support.receiver import Handler, Received, Receiver, answers, resets

LOCAL = Rules(https_only=False, loopback=True)


def attempt(url: str) -> Answer:
    return asyncio.run(send(Letter(url, "msg_1", "{}", (new_secret(),)), LOCAL))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts end after half a second: for receivers that never answer."""
    monkeypatch.setattr(sending, "DEADLINE", 0.5)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body is waited for a moment only; the status as long as it takes."""
    monkeypatch.setattr(sending, "_LINGER", 0.2)


@pytest.mark.usefixtures("hasty")
def test_a_receiver_that_hangs_is_left_after_a_while(receiver: Receiver) -> None:
    receiver.behaviour = receiver.hang
    assert attempt(receiver.url()) == Answer(failure="timeout")


@pytest.mark.usefixtures("hasty")
def test_headers_that_trickle_for_ever_do_not_hold_the_worker(receiver: Receiver) -> None:
    stop = threading.Event()

    def trickle(handler: Handler, _request: Received) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not stop.wait(0.02):
            handler.wfile.write(b"x")

    receiver.behaviour = trickle
    try:
        assert attempt(receiver.url()) == Answer(failure="timeout")
    finally:
        stop.set()


@pytest.mark.usefixtures("brief")
def test_an_answer_without_end_is_accepted_by_its_status_and_not_read(receiver: Receiver) -> None:
    written = []

    def endless(handler: Handler, _request: Received) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(2000):
            size = handler.wfile.write(b"x" * 65536)
            written.append(size)  # one by one: it ends by an error

    receiver.behaviour = endless
    assert attempt(receiver.url()) == Answer(200)
    assert sum(written) < 32 << 20  # what the sockets hold, not 131 MB


@pytest.mark.usefixtures("brief")
def test_a_body_that_never_comes_does_not_undo_the_status(receiver: Receiver) -> None:
    def half(handler: Handler, request: Received) -> None:
        handler.send_response(202)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        receiver.hang(handler, request)

    receiver.behaviour = half
    assert attempt(receiver.url()) == Answer(202)


def test_a_packed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.behaviour = answers(200, b"no gzip at all", Content_Encoding="gzip")
    assert attempt(receiver.url()) == Answer(200)
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        (answers(200), Answer(200)),
        (answers(299), Answer(299)),
        (answers(304), Answer(304, "redirect")),
        (answers(400), Answer(400, "status")),
        (answers(410), Answer(410, "gone")),
        (answers(429, Retry_After="7"), Answer(429, "status", 7.0)),
        (answers(500, Retry_After="7"), Answer(500, "status")),
        (resets, Answer(failure="broken")),
        (lambda handler, _: handler.wfile.write(b"SSH-2.0-x\r\n"), Answer(failure="broken")),
        (lambda handler, _: handler.wfile.write(b""), Answer(failure="broken")),
    ],
    ids=[
        "ok",
        "2xx",
        "3xx",
        "4xx",
        "gone",
        "asks-for-a-wait",
        "5xx",
        "reset",
        "no-http",
        "closed",
    ],
)
def test_each_answer_has_its_word(
    receiver: Receiver, behaviour: Callable[[Handler, Received], None], answer: Answer
) -> None:
    receiver.behaviour = behaviour
    assert attempt(receiver.url()) == answer


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert attempt(f"http://127.0.0.1:{taken.getsockname()[1]}/") == Answer(failure="connect")


def test_where_the_first_address_does_not_answer_the_next_one_is_tried(receiver: Receiver) -> None:
    """`localhost` is ::1 first on many machines; the receiver listens on 127.0.0.1 only."""
    assert attempt(receiver.url(host="localhost")) == Answer(204)


def test_no_proxy_of_the_environment_learns_of_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert attempt(receiver.url()) == Answer(204)
        assert proxy.requests == []


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver with a certificate for `localhost` by an authority that the system trusts."""
    from tests.support.certificates import for_host

    chain, key, authority = for_host("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    sending._certificates.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with Receiver(tls=context) as receiver:
        yield receiver
    sending._certificates.cache_clear()


def test_the_certificate_is_that_of_the_name_although_an_address_is_connected_to(
    encrypted: Receiver,
) -> None:
    assert attempt(encrypted.url(host="localhost")) == Answer(204)
    assert encrypted.requests[0].headers["host"] == f"localhost:{encrypted.port}"


def test_a_certificate_of_another_name_or_none_is_refused(
    encrypted: Receiver, receiver: Receiver
) -> None:
    assert attempt(encrypted.url(host="127.0.0.1")) == Answer(failure="tls")
    plain = receiver.url(host="localhost").replace("http://", "https://")
    assert attempt(plain) == Answer(failure="tls")
    assert encrypted.requests == receiver.requests == []


def test_every_error_of_the_library_has_a_word() -> None:
    def tree(kind: type[Exception]) -> Iterator[type[Exception]]:
        yield kind
        for each in kind.__subclasses__():
            yield from tree(each)

    words = {kind.__name__: word_for(kind("x")) for kind in tree(httpx.TransportError)}
    assert set(words.values()) == {"timeout", "connect", "broken"}
    assert words["ConnectTimeout"] == "timeout"
    assert {word for _, word in TRANSLATED} <= FAILURES.keys()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), (" 30 ", 30.0), ("Mon, 30 Nov 2026 09:01:00 GMT", 60.0),
        ("Mon, 30 Nov 2026 08:00:00 GMT", 0.0), ("-5", None), ("1e9", None), ("", None),
        ("9999999999999999", None), ("soon", None), ("Mon, 30 Nov 99999 09:01:00 GMT", None),
        ("\u0663", None), (None, None),
    ],
)  # fmt: skip
def test_retry_after_is_read_or_ignored(value: str | None, seconds: float | None) -> None:
    with clock.frozen(dt.datetime(2026, 11, 30, 9, 0, tzinfo=dt.UTC)):
        assert sending.retry_after(value) == seconds
