r"""What a CSV of ours is, for whoever writes, reads or describes one.

After RFC 4180, UTF-8, lines ended by LF, in two profiles:

lossless: for machines. NULL is `\N`; a text that is itself `\N` gets one more backslash (so do
`\\N`, `\\\N`, …), so every text survives. Quotes stand only where they must.

excel: for people. A byte order mark; every field quoted; a text that a spreadsheet could take for a
formula gets an apostrophe in front, and so do texts that begin with an apostrophe and the empty
text, so that NULL (an empty field) and every text survive as well. Why both: the escape changes
data, so machines must not get it (OWASP, "CSV injection").
"""

from __future__ import annotations

from collections.abc import Sequence

NULL = r"\N"
LITERAL_NULL = r"^\\+N$"
FORMULA = "^(?:$|'|[ \u00a0]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
"""Texts that get an apostrophe: what OWASP lists, also behind spaces, and the two of our own."""
EXCEL_MAX_ROWS = 1_048_575
"""Rows of a worksheet without the header (Excel specifications and limits)."""
BOM = "\ufeff".encode()


def header(names: Sequence[str], *, excel: bool) -> bytes:
    """The line of the column names, and what stands before it."""
    if excel:
        return BOM + (",".join(f'"{name}"' for name in names) + "\n").encode()
    return (",".join(names) + "\n").encode()
