"""Characters that have no place in words: removed, and counted by kind.

NUL and control characters break databases and terminals; bidi controls and tag characters can show
a reader other words than a machine reads; lone surrogates cannot be stored as UTF-8. Joiners that
scripts and emoji need (U+200C, U+200D) stay.
"""

from __future__ import annotations

import re
from collections import Counter

_ANY = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
# Kind, characters, replacement.
_KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("nul", re.compile("\x00"), ""),
    ("separator", re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]"), " "),
    ("control", re.compile("[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"), ""),
    ("bidi", re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"), ""),
    ("invisible", re.compile("[\u200b\u2060-\u2065\ufeff\U000e0000-\U000e007f]"), ""),
    ("damaged", re.compile("[\ud800-\udfff]"), "\ufffd"),
)


def clean(text: str, counts: Counter[str]) -> str:
    """The text without such characters; `counts` grows by what was removed, by kind.

    Line feed, carriage return and tab stay: they structure the file.
    """
    if _ANY.search(text) is None:
        return text
    for kind, pattern, replacement in _KINDS:
        text, n = pattern.subn(replacement, text)
        if n:
            counts[kind] += n
    return text
