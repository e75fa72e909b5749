"""What is private by its form: e-mail addresses, telephone and card numbers, accounts, postal addresses.

Each finder yields (start, end, kind) and stands in `FORMS`, the surest first. Speech recognisers write
numbers and addresses in several ways, spelled-out ones included; those are here, too. To add a form:
a finder, its kind in `KINDS`, and an example in its test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Found = tuple[int, int, str]

KINDS = ("email", "card", "account", "number", "address", "phone")

# Every repetition is bounded: a pattern that scans to the end from each place takes minutes.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,80}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w+-])\w[\w+-]{0,40}(?:(?:\.| dot | underscore | dash )\w[\w+-]{0,40}){0,4} at "
    r"\w[\w-]{0,62}(?:(?: dot |\.)\w[\w-]{0,62}){0,3}(?: dot |\.)"
    r"(?:com|org|net|edu|gov|io|co|info|biz|me|app|dev|eu|uk|de|fr|es|it|nl|at|ch|ie|us|ca|au|in)"
    r"(?: dot uk|\.uk| dot au|\.au)?(?!\w)",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"(?<![\w])\d(?:[ .-]?\d){12,18}(?!\w|[ .-]?\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)")
_PHONE = re.compile(r"(?<![\w-])(?:\+|\(\d|\d)(?:[ ()./-]{0,2}\d){6,14}(?![\w-])")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_SPOKEN_NUMBER = re.compile(
    rf"(?<!\w)(?:(?:double |triple )?{_DIGIT}[ ,.-]+){{5,}}(?:double |triple )?{_DIGIT}(?!\w)",
    re.IGNORECASE,
)

# Nouns of streets: the first row is hardly ever anything else, the second often is.
_STREET = "street|avenue|boulevard|crescent|lane|mews|terrace"
_MAYBE_STREET = (
    "road|drive|close|court|square|place|way|gardens|grove|hill|row|parade|park|walk|circle|highway|"
    "st|rd|ave|blvd|ln|dr|ct|sq|pl|cres|ter|hwy"
)
_HOUSE = r"(?<![\w.,])(?:(?:flat|apartment|apt\.?|unit|suite|no\.?|number) )?\d{1,5}[a-zA-Z]?(?:[-/]\d{1,4})?"
_NAMED = r"[A-ZÀ-Þ][\w'\u2019.-]*"
# After the street: town, county, postcode, each behind a comma or in capitals.
_POSTCODE = r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]{2},? \d{5}(?:-\d{4})?|\d{5}(?:-\d{4})?)"
_TAIL = (
    rf"(?:,? (?:{_POSTCODE}(?!\w)|(?:in )?{_NAMED}(?: {_NAMED}){{0,2}}(?=,? {_POSTCODE})))"
    rf"{{0,3}}"
)
_ADDRESSES = (
    # 221B Baker Street, London NW1 6XE; 12 Long Acre Rd.
    re.compile(
        rf"(?i:{_HOUSE}),? (?:{_NAMED} ){{1,4}}(?i:{_STREET}|{_MAYBE_STREET})(?!\w)\.?{_TAIL}"
    ),
    # 14 oak street: all in small letters, one or two words between
    re.compile(
        rf"(?i:{_HOUSE},? (?!(?:years?|days?|weeks?|hours?|minutes?|people|of|the|a|in|down|more)\b)"
        rf"[a-z'-]+ (?:(?!(?:the|a|of|in|down|this|my|our|your)\b)[a-z'-]+ )?(?:{_STREET}))(?!\w)"
        rf"{_TAIL}"
    ),
    # 14 oak road: one word between, which is none of the small ones
    re.compile(
        rf"(?i:{_HOUSE} (?!(?:years?|days?|weeks?|hours?|minutes?|months?|times|people|per|of|the|a|in|"
        r"on|is|was|more|different|long|to|or|and)\b)[a-z'-]{3,} (?:road|drive|grove|gardens))(?!\w)"
        rf"{_TAIL}"
    ),
    # Hauptstraße 12, 10115 Berlin; Goetheplatz 3a
    re.compile(
        r"(?<!\w)[A-ZÀ-Þ][\w-]*(?:stra(?:ß|ss)e|str\.|weg|platz|gasse|allee|ufer|damm)"
        rf" \d{{1,4}} ?[a-z]?(?!\w)(?:,? \d{{5}} {_NAMED})?"
    ),
    # 12 rue de la Paix, 75002 Paris; via Roma 5
    re.compile(
        rf"(?<!\w)\d{{1,4}},? (?:rue|avenue|boulevard|place|quai) (?:(?:de|du|des|la|le|les|l') ?)*"
        rf"{_NAMED}(?: {_NAMED})?(?:,? \d{{5}} {_NAMED})?"
    ),
    re.compile(r"(?<!\w)(?:[Pp]\.? ?[Oo]\.?|[Pp]ost [Oo]ffice) [Bb]ox \d+"),
    # A British postcode alone, and a state with its ZIP code
    re.compile(r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?!\w)"),
    re.compile(
        r"(?<!\w)(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|"
        r"S[CD]|T[NX]|UT|V[TA]|W[AVIY]),? \d{5}(?:-\d{4})?(?!\w)"
    ),
)


def emails(text: str) -> Iterator[Found]:
    """`maya@example.org`, and `maya at example dot org`."""
    for match in _EMAIL.finditer(text):
        yield (*match.span(), "email")
    for match in _SPOKEN_EMAIL.finditer(text):
        yield (*match.span(), "email")


def long_numbers(text: str) -> Iterator[Found]:
    """Runs of 13 to 19 digits: cards where their check digit is right, else some other number."""
    for match in _LONG_NUMBER.finditer(text):
        digits = [int(c) for c in match.group() if c.isdigit()]
        yield (*match.span(), "card" if luhn(digits) else "number")


def accounts(text: str) -> Iterator[Found]:
    """International bank account numbers (ISO 13616), also where a character was misheard."""
    for match in _IBAN.finditer(text):
        if sum(c.isdigit() for c in match.group()) >= 8:
            yield (*match.span(), "account")


def addresses(text: str) -> Iterator[Found]:
    """House number with street, post boxes, postcodes."""
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
            yield (*match.span(), "address")


def phones(text: str) -> Iterator[Found]:
    """Seven to fifteen digits, however they are grouped, and digits that are spelled out."""
    for match in _PHONE.finditer(text):
        if not _ISO_DATE.fullmatch(match.group()):
            yield (*match.span(), "phone")
    for match in _SPOKEN_NUMBER.finditer(text):
        yield (*match.span(), "phone")


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


FORMS: tuple[Callable[[str], Iterator[Found]], ...] = (
    emails,
    accounts,
    long_numbers,
    addresses,
    phones,
)
