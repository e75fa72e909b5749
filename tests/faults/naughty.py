"""Texts that break careless programs, and what must be left of them; written for this suite."""

from __future__ import annotations

NAUGHTY: dict[str, tuple[str, str]] = {
    "nul": ("one\x00two", "onetwo"),
    "bell and escape": ("\x07ding \x1b[31mred", "ding [31mred"),
    "c1": ("a\x9bb\x85c", "ab c"),
    "right to left override": ("file\u202etxt.exe", "filetxt.exe"),
    "isolates": ("a\u2066b\u2069c\u200f", "abc"),
    "zero width": ("pass\u200bword\ufeff\u2060", "password"),
    "soft hyphen": ("donau\u00addampf", "donaudampf"),
    "tags": ("hi\U000e0041\U000e0042 there", "hi there"),
    "noncharacter": ("a\uffffb\U0001fffe", "ab"),
    "half a character": ("a\ud83db", "a\ufffdb"),
    "two halves": ("a\ud83d\ude00b", "a\U0001f600b"),
    "line separator": ("one\u2028two", "one two"),
    "decomposed": ("Zoe\u0308 Cafe\u0301", "Zo\u00eb Caf\u00e9"),
    "angstrom": ("\u212b", "\u00c5"),
    "hangul": ("\u1112\u1161\u11ab", "\ud55c"),
    "emoji family": (
        "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    ),
    "flag of a region": (
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ),
    "persian joiner": ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,
    "hindi": ("\u0915\u094d\u200d\u0937 \u0928\u092e\u0938\u094d\u0924\u0947",) * 2,
    "hebrew": ("\u05e9\u05c1\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05c1\u05dc\u05d5\u05b9\u05dd"),
    "turkish": ("\u0130stanbul \u0131\u015f\u0131k", "\u0130stanbul \u0131\u015f\u0131k"),
    "marks upon marks": ("z\u0316\u0321\u0335", "z\u0335\u0321\u0316"),
    "script": ("<script>alert(1)</script>",) * 2,
    "image": ("<img src=x onerror=alert(1)>",) * 2,
    "attribute": ("\" onmouseover=\"alert(1)",) * 2,
    "sql": ("'; DROP TABLE clients; --",) * 2,
    "template": ("{{7*7}} ${7*7} {0.__class__} %s %n",) * 2,
    "formula": ("=1+1",) * 2,
    "formula of a link": ("@SUM(1+1)*cmd|' /C calc'!A0",) * 2,
    "like a null": ("\\N NULL None nil undefined",) * 2,
    "path": ("../../../etc/passwd",) * 2,
    "backslashes": ("a\\b\\\\c\\",) * 2,
    "quotes": ("O\u2019Neil \"Q\" 'q' `b`",) * 2,
    "astral letters": ("\U0001d4d0\U0001d4d3\U0001d4d0",) * 2,
}  # fmt: skip
"""Name -> (as it comes in, as one line of it is kept)."""

BLANK = ["\u200b", "\u200d\u200c", "\u3164", "\u2800 \u2800", " \t ", "\u00ad", "\x00", "\ufe0f"]
"""What a reader sees nothing of."""
