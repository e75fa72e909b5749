"""Files made to cost far more than they weigh, built byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

MEGABYTE = 1_000_000
MEMBER = b"word/document.xml"
HEAD = (
    b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
)
PARAGRAPH = b"<w:p><w:r><w:t>Ada Reyes: hello there</w:t></w:r></w:p>"
TAIL = b"</w:body></w:document>"


def docx(*pieces: bytes, beside: dict[str, bytes] | None = None) -> bytes:
    """A document whose text part is `pieces`, with other files beside it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in (beside or {}).items():
            archive.writestr(name, content)
        with archive.open(MEMBER.decode(), "w", force_zip64=True) as member:
            for piece in pieces:
                member.write(piece)
    return made.getvalue()


def zip_bomb(blocks: int, declared: int) -> bytes:
    """`blocks` megabytes of zeros in as many kilobytes; the directory says `declared` bytes.

    The same flushed block again and again, so that ten gigabytes are built in no time.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    packed = block * blocks + end
    common = (20, 0, 8, 0, 0, 0, len(packed), declared & 0xFFFFFFFF, len(MEMBER))
    local = struct.pack("<4s5HI2I2H", b"PK\x03\x04", *common, 0) + MEMBER
    central = (
        struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(packed),
            declared & 0xFFFFFFFF, len(MEMBER), 0, 0, 0, 0, 0, 0,
        )
        + MEMBER
    )  # fmt: skip
    start = len(local) + len(packed)
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central), start, 0)
    return local + packed + central + ending


def padding(size: int) -> bytes:
    """A comment that hardly packs, so that no ratio gives a bomb away."""
    import random

    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return b"<!--" + bytes(random.Random(7).choices(letters, k=size)) + b"-->"


def entities(levels: int = 9) -> bytes:
    """The billion laughs: each entity is ten of the one before."""
    names = [chr(98 + level) for level in range(levels)]
    rows = [b'<!ENTITY a "lol">']
    for before, name in zip(["a", *names], names, strict=False):
        rows.append(f'<!ENTITY {name} "{f"&{before};" * 10}">'.encode())
    return b"<!DOCTYPE l [" + b"".join(rows) + b"]>" + HEAD + f"&{names[-1]};".encode() + TAIL
