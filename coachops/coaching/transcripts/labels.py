"""Which words before a colon (or a time) name a speaker.

A label is taken where it is a role ("Coach"), a generic label ("Speaker 2"), or written like a
name. A word that recurs before a colon is taken too, so that "anna:" in small letters works. Words
that open sentences or heads of a page ("Note:", "Date:") are not labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

MAX_LABEL = 60


def word_set(words: str) -> frozenset[str]:
    """The words of a list written as one string."""
    return frozenset(words.split())


_SPLIT = re.compile(r"(?P<label>[^:\uff1a\n]{1,60}?)\s{0,3}[:\uff1a](?P<words>\s.*|$)", re.DOTALL)

COACH_WORDS = word_set(
    "coach coachin therapist therapeut therapeutin counselor counsellor berater beraterin "
    "interviewer consultant mentor mentorin trainer trainerin facilitator moderator "
    "psychologist therapeute conseiller conseillere terapeuta consejero consejera"
)
CLIENT_WORDS = word_set(
    "client clientin coachee kunde kundin klient klientin patient patientin mentee customer "
    "interviewee cliente clienta paciente ratsuchende ratsuchender"
)
_GENERIC = re.compile(
    r"(?:speaker|spk|sprecher|sprecherin|participant|teilnehmer|teilnehmerin|voice|person|guest|"
    r"gast|user|channel|unknown(?: speaker)?|unbekannt|locuteur|hablante|host)"
    r"[\s_#-]*[0-9a-z]{0,3}",
)
_OPENERS = word_set(
    "note notes nb ps p.s. re remember warning question answer option step example today okay ok so "
    "and but well first second third fourth finally also then now because if when what why how "
    "where who which the this that these those it there here yes no not my your our i we you he "
    "she they date datum time uhrzeit title titel topic thema subject location ort participants "
    "attendees teilnehmende duration dauer length meeting transcript transcription recorded "
    "recording summary agenda minutes host language kind source file created started ended "
    "session link url http https action actions next goal goals monday tuesday wednesday "
    "thursday friday saturday sunday january february march april may june july august september "
    "october november december montag dienstag mittwoch donnerstag freitag samstag sonntag "
    "maybe right great thanks thank for from with in on at by as to of one two three plan result "
    "results reality will outcome decision decisions follow-up homework mood observations themes "
    "key tip fact truth point bottom message point's thing"
)
_PARTICLES = word_set("von van de der den del della di da dos du la le el al bin ibn zu y e of")
_BAD_IN_NAME = re.compile(r"[?!;<>{}\[\]=\"“”„*/\\|]")


def fold(label: str) -> str:
    """A label for comparing: no accents, no case, single spaces."""
    plain = unicodedata.normalize(
        "NFKD", label.replace("ß", "ss").replace("ø", "o").replace("ł", "l")
    )
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


def is_generic(label: str) -> bool:
    """Whether the label numbers a voice and names nobody ("Speaker 1", "SPEAKER_00", "spk_1")."""
    return _GENERIC.fullmatch(fold(label)) is not None


def is_role(label: str) -> bool:
    """Whether the label says coach or client in words."""
    return fold(label) in COACH_WORDS or fold(label) in CLIENT_WORDS


def is_opener(label: str) -> bool:
    """Whether the words open a sentence or head a page rather than name a person."""
    first = fold(label).partition(" ")[0]
    return first in _OPENERS and not is_generic(label)


def name_like(label: str) -> bool:
    """Whether the words are written like a person's name, a phone number or an e-mail address."""
    if not 0 < len(label) <= MAX_LABEL or _BAD_IN_NAME.search(label):
        return False
    bare = re.sub(r"\s*\([^()]*\)", "", label).strip()
    words = bare.split()
    if not 1 <= len(words) <= 6 or len(bare) < 2:
        return len(bare) == 1 and bare.isupper()
    if re.fullmatch(r"\+?[0-9][0-9 ()-]{5,}", bare) or re.fullmatch(r"[^\s@]+@[^\s@]+\.\w+", bare):
        return True
    if not bare[0].isalpha() or (bare.endswith(".") and len(words[-1]) > 3):
        return False
    return all(_name_word(word) for word in words) and any(not w[0].islower() for w in words)


def _name_word(word: str) -> bool:
    if (
        word.casefold() in _PARTICLES
        or word.strip("-\u2013.,&").isdigit()
        or word in {"-", "\u2013", "&"}
    ):
        return True
    core = re.sub(r"^[a-z]['\u2019]", "", word).strip("'\u2019.,()-")  # d'Oliveira
    return bool(core) and core[0].isalpha() and not (core[0].islower() and core != "iPhone")


def split_label(line: str) -> tuple[str, str] | None:
    """The words before and after the first colon, where they could be label and speech."""
    match = _SPLIT.match(line[:4096])
    if match is None or not (label := match["label"].strip()):
        return None
    return label, line[match.start("words") :].strip()


def accepted(seen: Counter[str]) -> frozenset[str]:
    """Which of the labels seen before a colon are speakers; counts are occurrences."""
    return frozenset(label for label, n in seen.items() if _acceptable(label, n))


def _acceptable(label: str, n: int) -> bool:
    if is_role(label) or is_generic(label):
        return True
    if is_opener(label):
        return False
    if name_like(label):  # a single adverb once ("Honestly: …") is speech
        return n > 1 or " " in label or not label.endswith("ly")
    return n >= 3 and len(label.split()) <= 2 and label.replace(" ", "").isalpha()


def known_labels(lines: Iterable[str]) -> frozenset[str]:
    """The speakers that lines of the form `Name: words` name."""
    seen: Counter[str] = Counter()
    for line in lines:
        if (parts := split_label(line)) is not None:
            seen[parts[0]] += 1
    return accepted(seen)
