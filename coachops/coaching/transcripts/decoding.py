"""Bytes to text: which character set a transcript is written in.

Order: byte order mark; UTF-16 without a mark (zero bytes in every second place); UTF-8; cp1252;
charset-normalizer as the last resort, for text in which most letters are not ASCII.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter

from coachops.core.errors import CoachError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32-le"),  # before UTF-16 LE: it starts the same
    (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
)
_SAMPLE = 65_536
_CONTROL_BYTES = bytes(set(range(32)) - {9, 10, 11, 12, 13, 27}) + b"\x7f"
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = bytes(range(128, 256))


def decode(data: bytes, name: str, counts: Counter[str]) -> tuple[str, str]:
    """The text and the name of its encoding (`utf-8-sig` means UTF-8 with a mark).

    Parameters:
        counts: `damaged` grows by the characters that had to be replaced.

    Raises `COACH-TRN-006` for data that is not text.
    """
    for mark, codec, shown in _MARKS:
        if data.startswith(mark):
            return _lenient(data[len(mark) :], codec, counts), shown
    wide = _utf16_without_mark(data)
    if wide is not None:
        return data.decode(wide), wide
    sample = data[:_SAMPLE]
    if len(sample) - len(sample.translate(None, _CONTROL_BYTES)) > len(sample) * 0.05:
        raise CoachError("COACH-TRN-006", name=name)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    high = len(data) - len(data.translate(None, _HIGH))
    in_sequences = sum(m.end() - m.start() for m in _MULTIBYTE.finditer(data))
    if in_sequences > 0.8 * high:  # UTF-8 with a few bytes broken
        return _lenient(data, "utf-8", counts), "utf-8"
    if high <= 0.3 * len(data):
        try:
            return data.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:
            pass
    return _guess(data, name, counts)


def _lenient(data: bytes, codec: str, counts: Counter[str]) -> str:
    """Decode; bytes that cannot be read become U+FFFD and are counted."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        text = data.decode(codec, errors="replace")
        counts["damaged"] += text.count("\ufffd")
        return text


def _utf16_without_mark(data: bytes) -> str | None:
    """The byte order, where zero bytes stand in one of two places: ASCII parts of UTF-16."""
    sample = data[: _SAMPLE & ~1]
    if len(data) % 2 or len(sample) < 8:
        return None
    half = len(sample) / 2
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if max(even, odd) < 0.15 or min(even, odd) > 0.05:
        return None
    codec = "utf-16-le" if odd > even else "utf-16-be"
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return None
    return codec


def _guess(data: bytes, name: str, counts: Counter[str]) -> tuple[str, str]:
    """What charset-normalizer makes of a sample."""
    import charset_normalizer  # noqa: PLC0415 slow to import and hardly ever needed

    best = charset_normalizer.from_bytes(data[:_SAMPLE]).best()
    if best is None:
        raise CoachError("COACH-TRN-006", name=name)
    return _lenient(data, best.encoding, counts), best.encoding.replace("_", "-")
