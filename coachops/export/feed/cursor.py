"""The cursor: up to where one follower has read. Opaque to it, and signed.

`<place as 16 hex digits>.<base64url of JSON>.<HMAC-SHA256>`. The place stands in front so that later
cursors sort after earlier ones, which clients with an ordered bookmark (dlt, Singer) rely on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from coachops.core import clock
from coachops.core.errors import CoachError

VERSION = 1
_SHAPE = re.compile(r"[0-9a-f]{16}\.[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a cursor says.

    Attributes:
        epoch: the history of data it belongs to.
        pos: up to where was read.
        start: the head when reading began (from nothing) or the place that a bulk export handed
            over: deletions before it do not matter to this follower.
        major: of the dataset's schema.
        selection: digest of dataset and filter.
        issued: seconds since 1970.
    """

    epoch: str
    pos: int
    start: int
    major: int
    selection: str
    issued: int = 0

    def encode(self, secret: bytes) -> str:
        """The cursor as text, signed with `secret`."""
        claims = {
            "v": VERSION,
            "epoch": self.epoch,
            "pos": self.pos,
            "start": self.start,
            "schema": self.major,
            "filter": self.selection,
            "iat": self.issued or int(clock.now().timestamp()),
        }
        body = _encode(json.dumps(claims, separators=(",", ":")).encode())
        signed = f"{self.pos:016x}.{body}"
        return f"{signed}.{_sign(secret, signed)}"

    @classmethod
    def decode(cls, text: str, secret: bytes) -> Cursor:
        """The cursor that `text` is.

        Raises:
            CoachError: COACH-FED-001 it was changed, or is none of ours.
        """
        if not _SHAPE.fullmatch(text):
            raise CoachError("COACH-FED-001")
        signed, _, signature = text.rpartition(".")
        if not hmac.compare_digest(signature, _sign(secret, signed)):
            raise CoachError("COACH-FED-001")
        body = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims.get("v") != VERSION:
            raise CoachError("COACH-FED-001")
        return cls(
            claims["epoch"],
            claims["pos"],
            claims["start"],
            claims["schema"],
            claims["filter"],
            claims["iat"],
        )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(secret: bytes, text: str) -> str:
    return _encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())
