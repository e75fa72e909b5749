"""Mails as mail servers of several kinds return them, written for these tests.

`@LETTER@` stands where the server repeats the reference of the letter, `@RETURN@` where it names the
address that it returned it to.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.eml"))


def returned(name: str, *, letter: str, to: str = "coaching@example.org") -> str:
    """One of these mails about a letter."""
    text = (HERE / f"{name}.eml").read_text("utf-8")
    return text.replace("@LETTER@", letter).replace("@RETURN@", to)
