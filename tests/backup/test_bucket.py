"""A bucket as the second place: the whole way there and back, and every way it can fail."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.backup import Backups
from coachops.backup.bucket import BucketPlace
from coachops.bootstrap import recovery
from coachops.buckets import open_files
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from tests.support.patience import PATIENCE
from tests.support.s3 import S3Server, start_s3


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    yield from start_s3()


@pytest.fixture(autouse=True)
def _keys(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def url(s3: S3Server, request: pytest.FixtureRequest) -> str:
    """A prefix of its own."""
    return f"s3://{s3.bucket}/{abs(hash(request.node.name))}/backups of us"


def test_backup_drill_and_restore_through_a_bucket(
    at: Callable[..., Backups], url: str, tmp_path: Path
) -> None:
    backups = at(storage_url=url)
    assert backups.list() == []
    first = backups.run()
    backups.run()
    assert backups.drill().passed
    assert backups.verify(first.id)[1] == []
    assert [row.state for row in backups.list()] == ["good", "good"]
    assert backups.list()[0].proven_at is not None
    assert not [p for p in backups.status(thorough=True).problems if p.severity == "bad"]
    copy = tmp_path / "key.txt"
    backups.export_key(copy)
    empty = load_settings(home=tmp_path / "new", storage_url=url)
    assert recovery(empty).restore(key_file=copy).rows == backups.list()[0].rows


def test_a_changed_object_is_found(at: Callable[..., Backups], url: str, tmp_path: Path) -> None:
    backups = at(storage_url=url)
    backups.run()
    place = BucketPlace(url)
    [name] = [entry.name for entry in place.entries() if "coachops.db" in entry.name]
    data = bytearray(place.read(name))
    data[1_000] ^= 1
    place.write(name, bytes(data))
    assert backups.verify()[1] == [f"{name} was changed"]
    assert "COACH-BKP-007" in backups.drill().reasons[0]
    place.delete(name)
    place.delete(name)  # what is not there is no error
    assert "is missing" in (backups.list()[0].problem or "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AWS_ENDPOINT_URL": "closed"}, "COACH-BKP-001"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "COACH-BKP-002"),
    ],
)
def test_a_service_that_cannot_be_used_is_named(
    changes: dict[str, str],
    code: str,
    at: Callable[..., Backups],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in changes.items():
        if value == "closed":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                value = f"http://127.0.0.1:{free.getsockname()[1]}"  # noqa: PLW2901 the free port
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    backups = at(storage_url=url)
    with pytest.raises(CoachError) as caught:
        backups.run()
    assert caught.value.code == code
    assert caught.value.next_step
    assert code in {problem.code for problem in backups.status().problems}  # it is remembered
    assert backups.drill().reasons[0].startswith(code)


def test_a_bucket_that_is_not_there_is_named(at: Callable[..., Backups]) -> None:
    backups = at(storage_url="s3://no-such-bucket-at-all/x")
    for act in (backups.run, backups.list, backups.verify):
        with pytest.raises(CoachError) as caught:
            act()
        assert caught.value.code == "COACH-BKP-003"


def test_wrong_keys_are_named(at: Callable[..., Backups], tmp_path: Path) -> None:
    """The service answers as Amazon does to a key it does not know."""
    with (
        _Answering(
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n",
            b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key "
            b"Id you provided does not exist in our records.</Message></Error>",
        ) as address,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("AWS_ENDPOINT_URL", address)
        backups = at(storage_url="s3://bucket/x")
        for act in (backups.run, backups.list):
            with pytest.raises(CoachError) as caught:
                act()
            assert caught.value.code == "COACH-BKP-002"


def test_a_service_that_goes_away_half_way_leaves_no_backup(
    at: Callable[..., Backups], url: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(storage_url=url).run()
    with _Cutting(s3.url, bytes_until_gone=40_000) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(CoachError) as caught:
            at(storage_url=url).run()
        assert caught.value.code == "COACH-BKP-001"
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    again = at(storage_url=url)
    assert len(again.list()) == 1
    again.run()
    assert again.drill().passed


@pytest.mark.parametrize("url", ["s3://", "s3://key:secret@bucket/x", "ftp://host/x", "relative"])
def test_an_address_that_is_none_is_refused_by_the_settings_name(
    url: str, at: Callable[..., Backups]
) -> None:
    with pytest.raises(CoachError) as caught:
        at(storage_url=url)
    assert caught.value.code == "COACH-SYS-001"
    assert "COACHOPS_STORAGE_URL" in caught.value.message


class _Listening:
    """A server on a free port that handles each connection in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> str:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # it may have gone half-way
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._handle_safely, args=(client,), daemon=True).start()

    def _handle_safely(self, client: socket.socket) -> None:
        with client:
            try:
                self.handle(client)
            except OSError:
                return

    def handle(self, client: socket.socket) -> None:
        raise NotImplementedError


class _Answering(_Listening):
    """Answers every request alike."""

    def __init__(self, head: bytes, body: bytes) -> None:
        super().__init__()
        self._answer = head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def handle(self, client: socket.socket) -> None:
        client.settimeout(PATIENCE)
        asked = b""
        while b"\r\n\r\n" not in asked:
            data = client.recv(65_536)
            if not data:
                return
            asked += data
        client.sendall(self._answer)


class _Cutting(_Listening):
    """Passes requests on to another server until so many bytes were sent there; then all ends."""

    def __init__(self, target: str, bytes_until_gone: int) -> None:
        super().__init__()
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._left = bytes_until_gone

    def handle(self, client: socket.socket) -> None:
        with socket.create_connection(self._target) as server:
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(4_096):
                self._left -= len(data)
                if self._left < 0:
                    with contextlib.suppress(OSError):
                        self._socket.shutdown(socket.SHUT_RDWR)  # nobody is let in any more
                    return
                server.sendall(data)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            return


def test_places_share_a_client_until_keys_may_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("coachops.core.clock.monotonic", lambda: now)
    first = open_files()
    assert open_files() is first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    other = open_files()
    assert other is not first
    now += 600  # a file of keys may have been written anew
    assert open_files() is not other


def test_keys_that_were_corrected_are_used_at_the_next_try(
    at: Callable[..., Backups], url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    right = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    for name in right:
        monkeypatch.delenv(name)
    backups = at(storage_url=url)
    with pytest.raises(CoachError, match="no keys are set"):
        backups.run()
    keys.write_text(
        "[default]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in right.items())
    )
    assert backups.run().state == "good"
