"""The one function that makes any text safe to keep, to send and to show: `clean`.

Every edge where text comes in uses it: files, API bodies, forms, inputs of the dashboards, words of
the command line, roster cells, replies of the AI service. What is taken out has no place in words:

| kind | what | why |
|---|---|---|
| `nul` | U+0000 | PostgreSQL refuses it, C programs end there |
| `control` | other C0 and C1 controls | terminals act on them |
| `separator` | VT, FF, FS-US, NEL, LS, PS | become a space: line ends that half of all programs see |
| `bidi` | U+061C, U+200E/F, U+202A-E, U+2066-9 | show a reader other words than are there |
| `invisible` | zero-width space, word joiner, tags, soft hyphen, noncharacters, … | hide words |
| `damaged` | lone surrogates | cannot be UTF-8; become U+FFFD |

What carries meaning stays: joiners that scripts and emoji need (U+200C, U+200D), variation selectors,
the tags of a flag of a region, private use. The result is in NFC (UAX #15), so that the same word is
the same string whichever keyboard typed it. `clean(clean(x)) == clean(x)`.

Fields of pydantic models and of forms say `Annotated[str, CleanLine(max=200)]` or `CleanText`.
Passwords are not texts: they go to the hash as they were typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""A region's flag: black flag, tag letters, cancel tag (UTS #51, section 1.4.6)."""

_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
_NUL = "\x00"
_CONTROL = "\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_SEPARATOR = "\x0b\x0c\x1c-\x1f\x85\u2028\u2029"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a"
    f"\U000e0000-\U000e007f{_NONCHARACTERS}"
)
_SURROGATE = "\ud800-\udfff"

_ANY = re.compile(f"[{_NUL}{_CONTROL}{_SEPARATOR}{_BIDI}{_INVISIBLE}{_SURROGATE}]")
_LONE = re.compile(f"[{_SURROGATE}]")
# Kind, pattern, replacement; a flag is matched first, so that its tags are not.
_KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("nul", re.compile(_NUL), ""),
    ("separator", re.compile(f"[{_SEPARATOR}]"), " "),
    ("control", re.compile(f"[{_CONTROL}]"), ""),
    ("bidi", re.compile(f"[{_BIDI}]"), ""),
    ("damaged", _LONE, "\ufffd"),
)
_INVISIBLE_OR_FLAG = re.compile(f"({_FLAG})|[{_INVISIBLE}]")

_BLANK = re.compile(
    "[\\s\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u200d\u2800\u3164\ufe00-\ufe0f\uffa0]+"
)
"""What a reader sees nothing of, alone: white space, joiners, fillers, the empty Braille cell."""

_MARKS = re.compile("[^\\w\\s\x00-\u02ff]{31,}")
"""Perhaps a run of combining marks: they are no letters."""
_RUN = 30
_JOINER = "\u034f"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A clean text, and how many characters of which kind were taken out or replaced."""

    text: str
    removed: Mapping[str, int] = field(default_factory=dict)


def clean(text: str) -> Cleaned:
    """`text` as it may be kept; tab, line feed and carriage return stay, nothing is trimmed."""
    removed: Counter[str] = Counter()
    if _ANY.search(text) is not None:
        text = _without(text, removed)
    if not text.isascii():
        text = _composed(text)
    return Cleaned(text, dict(removed))


def clean_text(text: str) -> str:
    """Words of many lines as somebody typed them: cleaned, lines ended by LF, outer space trimmed."""
    return clean(text).text.replace("\r\n", "\n").replace("\r", "\n").strip()


def clean_line(text: str) -> str:
    """One line, such as a name: cleaned, every run of white space one space, trimmed."""
    return " ".join(clean(text).text.split())


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of it, such as a name made of joiners or fillers only."""
    return not text or _BLANK.fullmatch(text) is not None


def _without(text: str, removed: Counter[str]) -> str:
    if _LONE.search(text) is not None:
        # two halves of one character, sent apart, belong together
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    for kind, pattern, replacement in _KINDS:
        text, number = pattern.subn(replacement, text)
        if number:
            removed[kind] += number

    def seen(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        removed["invisible"] += 1
        return ""

    return _INVISIBLE_OR_FLAG.sub(seen, text)


def _composed(text: str) -> str:
    """NFC, in linear time: long runs of marks are parted first (UAX #15, Stream-Safe Text Process)."""
    return unicodedata.normalize("NFC", _MARKS.sub(_parted, text))


def _parted(match: re.Match[str]) -> str:
    made: list[str] = []
    marks = 0
    # one by one: a mark may stand for two, and sorting them all at once is what takes long
    for character in "".join(unicodedata.normalize("NFD", each) for each in match[0]):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > _RUN:
            made.append(_JOINER)
            marks = 1
        made.append(character)
    return "".join(made)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What both kinds of fields share.

    Attributes:
        max: characters after cleaning; None sets no limit here.
        min: characters that a reader sees something of; 0 allows an empty text.
    """

    max: int | None = None
    min: int = 0

    def _apply(self, text: str) -> str:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Clean first, then measure."""
        from pydantic_core import core_schema  # noqa: PLC0415 core itself needs no pydantic

        def cleaned(value: Any) -> Any:
            return self._apply(value) if isinstance(value, str) else value

        def visible(value: str | None) -> str | None:
            if self.min and value is not None and is_blank(value):
                raise ValueError("nothing can be seen of it")
            return value

        inner: Any = handler(source)
        words = inner["schema"] if inner["type"] == "nullable" else inner
        if words["type"] != "str":
            raise TypeError("only a text can be cleaned")
        words["strict"] = True  # bytes would be decoded behind the cleaning
        if self.max is not None:
            words["max_length"] = self.max
        if self.min:
            words["min_length"] = self.min
        return core_schema.no_info_after_validator_function(
            visible, core_schema.no_info_before_validator_function(cleaned, inner)
        )


class CleanLine(_Kind):
    """`Annotated[str, CleanLine(max=200)]`: one line, cleaned before it is measured."""

    __slots__ = ()

    def _apply(self, text: str) -> str:
        return clean_line(text)


class CleanText(_Kind):
    """`Annotated[str, CleanText(max=2000)]`: words of many lines, cleaned before they are measured."""

    __slots__ = ()

    def _apply(self, text: str) -> str:
        return clean_text(text)
