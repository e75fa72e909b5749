"""Who is the coach and who the client, and when the coach is asked."""

from __future__ import annotations

import pytest

from coachops.ai.types import Speaker
from coachops.coaching.transcripts import SpeakerMapping, map_speakers, notes_to_transcript, read

COACH = ["Dr. Anna Berg", "anna.berg@example.org"]
CLIENT = ["José Díaz-Weiß", "j.diaz@firm.example"]


def mapped(*turns: str, coach: list[str] = COACH, client: list[str] = CLIENT) -> SpeakerMapping:
    parsed = read("".join(f"{turn}\n" for turn in turns).encode(), "x.txt")
    return map_speakers(parsed, coach, client)


@pytest.mark.parametrize(
    ("coach", "client"),
    [
        ("Coach", "Client"),
        ("COACH", "Kundin"),
        ("Therapist", "Patient 1"),
        ("Counsellor", "Coachee"),
        ("Anna Berg", "Jose Diaz-Weiss"),
        ("anna.berg@example.org", "j.diaz@firm.example"),
        ("Berg, Anna", "DÍAZ WEISS, JOSÉ"),
        ("Anna", "José"),
        ("Anna Berg (Guest)", "José D."),
        ("AB", "JDW"),
        ("Anna (Coach)", "J. (Client)"),
        ("Coach Anna", "Diaz"),
        ("Anna Maria Berg", "Jose"),
        ("T", "C"),
    ],
)
def test_names_role_words_addresses_and_initials_are_certain(coach: str, client: str) -> None:
    result = mapped(f"{coach}: Hello", f"{client}: Hi", f"{coach}: How are you?", f"{client}: ok")
    assert dict(result.roles) == {coach: Speaker.COACH, client: Speaker.CLIENT}
    assert (result.inferred, result.certain) == (False, True)
    assert set(result.reasons) == {coach, client}


def test_the_only_other_speaker_is_inferred() -> None:
    result = mapped("Anna Berg: Hello", "Pepe: Hi")
    assert result.role_of("Pepe") is Speaker.CLIENT
    assert (result.inferred, result.certain) == (True, True)
    assert result.reasons["Pepe"] == "the only other speaker"


def test_labels_that_name_nobody_are_inferred_from_talk_and_never_certain() -> None:
    result = mapped(
        "Speaker 1: Well, I had a long week and it was not easy.",
        "Speaker 2: What made it long?",
        "Speaker 1: The board, mostly, and then the launch.",
        "Speaker 2: And what would help?",
    )
    assert dict(result.roles) == {"Speaker 1": Speaker.CLIENT, "Speaker 2": Speaker.COACH}
    assert (result.inferred, result.certain) == (True, False)


def test_further_speakers_are_other_and_do_no_harm_when_both_are_named() -> None:
    result = mapped("Anna Berg: Hello", "José Díaz-Weiß: Hi", "Marta: Sorry, wrong room")
    assert result.role_of("Marta") is Speaker.OTHER
    assert (result.inferred, result.certain) == (False, True)
    result = mapped("Anna Berg: Hello", "Pepe: Hi there, all well", "Marta: Sorry")
    assert result.role_of("Pepe") is Speaker.CLIENT
    assert (result.inferred, result.certain) == (True, False)


def test_a_first_name_that_both_have_tells_nothing() -> None:
    result = mapped("Anna: How are you?", "Speaker 2: Fine", client=["Anna Nowak"])
    assert not result.certain
    result = mapped("Anna Berg: How are you?", "Anna Nowak: Fine", client=["Anna Nowak"])
    assert result.certain


def test_a_role_word_against_the_name_is_not_certain() -> None:
    result = mapped("Anna Berg (Client): Hello", "José Díaz-Weiß (Coach): Hi")
    assert not result.certain


def test_no_labels_or_one_speaker_alone_is_not_certain() -> None:
    result = map_speakers(notes_to_transcript("He was late."), COACH, CLIENT)
    assert (dict(result.roles), result.certain, result.unlabelled) == ({}, False, 1)
    assert result.role_of(None) is Speaker.OTHER
    result = mapped("Anna: Hello", "Anna: again")
    assert not result.certain


def test_many_cues_without_a_speaker_are_not_certain() -> None:
    cue = "{0:02}:00.000 --> {0:02}:30.000\n{1}\n\n"
    voices = ["<v Coach>Hi", "<v Client>Yes", "who?", "<v Coach>Ok"]
    text = "WEBVTT\n\n" + "".join(cue.format(at, words) for at, words in enumerate(voices))
    result = map_speakers(read(text.encode(), "x.vtt"), COACH, CLIENT)
    assert (result.unlabelled, result.certain) == (1, False)


def test_no_names_known_at_all_does_not_fail() -> None:
    assert not mapped("Anna: Hello", "Ben: Hi", coach=[], client=["", " "]).certain
