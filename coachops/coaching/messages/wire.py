"""A letter as bytes: the headers folded as RFC 5322 asks, and one that must not be folded."""

from __future__ import annotations

import io
import re
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.policy import EmailPolicy

_WHOLE = frozenset({"list-unsubscribe"})
"""Headers of one long word: the library would encode it, and no mail program would find the link."""


class LetterPolicy(EmailPolicy):
    """The rules of the library for SMTP, but a link in a header stays as it is."""

    def fold(self, name: str, value: str) -> str:
        """The header as text."""
        if name.lower() in _WHOLE:
            return f"{name}: {value}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        """The header as it leaves."""
        if name.lower() in _WHOLE:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


POLICY = LetterPolicy(linesep="\r\n")


def written(letter: EmailMessage) -> bytes:
    """The letter as a file holds it."""
    buffer = io.BytesIO()
    BytesGenerator(buffer, policy=POLICY).flatten(letter)
    return buffer.getvalue()


def stuffed(letter: EmailMessage) -> bytes:
    """The letter as DATA sends it, without the last line: CRLF ends, leading dots doubled."""
    data = re.sub(rb"\r\n|\r|\n", b"\r\n", written(letter))
    data = re.sub(rb"(?m)^\.", b"..", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"
