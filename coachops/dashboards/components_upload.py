"""Choosing or dropping files: announced, checked, then received piece by piece.

Limits hold in Python, whatever a browser claims: the size announced is checked before a byte is
asked for, and a file that sends more than it announced is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import traitlets

from coachops.dashboards.components_base import Part
from coachops.dashboards.theme import Tone

log = logging.getLogger(__name__)

MEGABYTE: Final = 1024 * 1024
PIECE_LIMIT: Final = MEGABYTE  # bytes; the page sends 256 kB
NAME_LIMIT: Final = 200  # characters


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that arrived whole.

    Attributes:
        key: its row in the list, for `set_status`.
        name: the name without folders, at most 200 characters; chosen by the person, so untrusted.
        content: its bytes.
    """

    key: str
    name: str
    content: bytes


@dataclass(slots=True)
class _Arriving:
    name: str
    size: int
    pieces: list[bytes] = field(default_factory=list)
    received: int = 0


class FileUpload(Part):
    """A drop zone with a list of files and what became of each. Made by `file_upload`."""

    kind = "upload"
    label = traitlets.Unicode("").tag(sync=True)
    help = traitlets.Unicode("").tag(sync=True)
    accept: Any = traitlets.List().tag(sync=True)
    multiple = traitlets.Bool(True).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    items: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        label: str,
        *,
        accept: Sequence[str],
        multiple: bool,
        max_bytes: int,
        max_files: int,
        max_total_bytes: int,
        **traits: object,
    ) -> None:
        self.max_bytes, self.max_files = max_bytes, max_files
        self.max_total_bytes = max_total_bytes
        self._arriving: dict[str, _Arriving] = {}
        self._queue: list[str] = []
        self._done: list[UploadedFile] = []
        self._callbacks: list[Callable[[list[UploadedFile]], object]] = []
        super().__init__(label=label, accept=list(accept), multiple=multiple, **traits)

    def on_files(self, callback: Callable[[list[UploadedFile]], object]) -> None:
        """Call `callback(files)` once per choice or drop, when all accepted files are here."""
        self._callbacks.append(callback)

    def set_status(self, key: str, text: str, tone: Tone = "ok", detail: str = "") -> None:
        """Say what became of a file: a short `text` in a pill, `detail` below."""
        self._row(key, state="done", text=text, tone=tone, detail=detail)

    def clear(self) -> None:
        """Forget the list, and drop what is still arriving."""
        for key in self._arriving:
            self.send({"event": "drop", "key": key})
        self._arriving.clear()
        self._queue.clear()
        self._done.clear()
        self.items = []

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`offer`, `piece` or `unreadable` from the browser."""
        if self.disabled:
            return
        if message["event"] == "offer":
            self._offer(message.get("files"))
        elif message["event"] == "piece":
            self._piece(str(message.get("key")), message.get("offset"), buffers)
        elif message["event"] == "unreadable":
            self._refuse(str(message.get("key")), "Not readable", "Choose the file again.")
            self._next()

    def _offer(self, files: object) -> None:
        if not isinstance(files, list) or self._arriving:
            return  # one choice at a time; the zone's list shows the running one
        self.items, self._done = [], []
        for position, entry in enumerate(files[: self.max_files + 1]):
            if not isinstance(entry, dict):
                continue
            key, size = entry.get("key"), entry.get("size")
            name = _plain_name(str(entry.get("name", "")))
            if not isinstance(key, str) or isinstance(size, bool) or not isinstance(size, int):
                continue
            self.items = [
                *self.items,
                {"key": key, "name": name, "size": _size_text(size), "state": "sending",
                 "text": "Sending", "tone": "neutral", "detail": ""},
            ]  # fmt: skip
            self._arriving[key] = _Arriving(name, size)
            if problem := self._problem(name, size, position):
                self._refuse(key, *problem)
            else:
                self._queue.append(key)
        self._next()

    def _problem(self, name: str, size: int, position: int) -> tuple[str, str] | None:
        if position >= self.max_files:
            return "Too many", f"At most {self.max_files} files at once; send the rest afterwards."
        if self.accept and not name.lower().endswith(tuple(self.accept)):
            return "Wrong type", "Files may be " + ", ".join(self.accept) + "."
        if size < 1:
            return "Empty", "The file holds nothing."
        if size > self.max_bytes:
            return "Too large", f"A file may have at most {_size_text(self.max_bytes)}."
        if sum(a.size for a in self._arriving.values()) > self.max_total_bytes:
            return "Too much", "Send the rest afterwards."
        return None

    def _piece(self, key: str, offset: object, buffers: Sequence[Any]) -> None:
        arriving = self._arriving.get(key)
        # only the file that was asked for, and only the piece after the last
        if arriving is None or self._queue[:1] != [key] or offset != arriving.received:
            return
        piece = bytes(buffers[0]) if len(buffers) == 1 else b""
        if not piece or len(piece) > PIECE_LIMIT:
            self._refuse(key, "Broken off", "Choose the file again.")
        elif arriving.received + len(piece) > arriving.size:
            self._refuse(key, "Changed", "The file changed while it was sent; choose it again.")
        else:
            arriving.pieces.append(piece)
            arriving.received += len(piece)
            if arriving.received == arriving.size:
                self._done.append(UploadedFile(key, arriving.name, b"".join(arriving.pieces)))
                self._row(key, state="done", text="Received", tone="info")
                self._forget(key)
        self._next()

    def _next(self) -> None:
        if self._queue:
            key = self._queue[0]
            self.send({"event": "next", "key": key, "offset": self._arriving[key].received})
        elif self._done:
            files, self._done = self._done, []
            for callback in self._callbacks:
                callback(files)

    def _refuse(self, key: str, text: str, detail: str) -> None:
        if key in self._arriving:
            self._row(key, state="refused", text=text, tone="bad", detail=detail)
            self._forget(key)

    def _forget(self, key: str) -> None:
        del self._arriving[key]
        if key in self._queue:
            self._queue.remove(key)
        self.send({"event": "drop", "key": key})

    def _row(self, key: str, **changes: str) -> None:
        self.items = [{**row, **changes} if row["key"] == key else row for row in self.items]

    def offer_files(self, files: Mapping[str, bytes]) -> None:
        """Do what the browser does when a person drops `files` (name to content): for tests."""
        keys = {f"test-{i}": content for i, content in enumerate(files.values())}
        names = zip(keys, files, strict=True)
        self.receive(
            {
                "event": "offer",
                "files": [{"key": k, "name": n, "size": len(keys[k])} for k, n in names],
            }
        )
        while self._queue:
            key = self._queue[0]
            offset = self._arriving[key].received
            self.receive(
                {"event": "piece", "key": key, "offset": offset},
                [keys[key][offset : offset + PIECE_LIMIT]],
            )


def _plain_name(name: str) -> str:
    """The last part of a path, without control characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:NAME_LIMIT] or "file"


def _size_text(size: int) -> str:
    if size >= MEGABYTE:
        return f"{size / MEGABYTE:.1f} MB"
    return f"{max(min(size, 1), round(size / 1024))} kB"


def file_upload(
    label: str,
    accept: Sequence[str] = (),
    *,
    multiple: bool = True,
    on_files: Callable[[list[UploadedFile]], object] | None = None,
    help: str = "",  # noqa: A002 the word that readers of the page know it by
    max_bytes: int = 10 * MEGABYTE,
    max_files: int = 50,
    max_total_bytes: int = 100 * MEGABYTE,
) -> FileUpload:
    """A place to drop or choose files.

    Parameters:
        label: what to upload, as a short request.
        accept: endings in lower case with their dot (`.vtt`); all when empty.
        on_files: called with the files that arrived, once per choice.
        max_bytes: limit of one file; max_files and max_total_bytes: limits of one choice.
    """
    upload = FileUpload(
        label, accept=accept, multiple=multiple, max_bytes=max_bytes,
        max_files=max_files if multiple else 1, max_total_bytes=max_total_bytes, help=help,
    )  # fmt: skip
    if on_files:
        upload.on_files(on_files)
    return upload
