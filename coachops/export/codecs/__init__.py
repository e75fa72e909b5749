"""Writing and reading back the file formats: CSV (two profiles), JSON Lines, JSON.

Invariants: a codec turns columns of canonical text into bytes and back without loss; it knows no
database and no folder. To add a format: a module with a `Codec`, and its name in `codec_for`.
"""

from collections.abc import Callable

from coachops.export.codecs.codec import Codec, FormatError
from coachops.export.codecs.csv import CsvCodec
from coachops.export.codecs.json import JsonCodec, JsonLinesCodec

FORMATS = ("csv", "json", "jsonl")
CSV_PROFILES = ("lossless", "excel")


def codec_for(name: str, csv_profile: str = "lossless") -> Codec:
    """The codec of a format; `KeyError` for one that is not in `FORMATS`."""
    if name == "csv":
        return CsvCodec(excel=csv_profile == "excel")
    makers: dict[str, Callable[[], Codec]] = {"json": JsonCodec, "jsonl": JsonLinesCodec}
    return makers[name]()


__all__ = ["CSV_PROFILES", "FORMATS", "Codec", "FormatError", "codec_for"]
