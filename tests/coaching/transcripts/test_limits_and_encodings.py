"""What is refused, before memory is spent, and which encodings are read."""

from __future__ import annotations

import codecs
import io
import tracemalloc
import zipfile

import pytest

from coachops.coaching.transcripts import LIMITS, check_size, read
from coachops.core.errors import CATALOGUE, CoachError

WORDS = "Anna: Déjà vu \u2013 “schön”, 5 €.\nBen: Ça va, naïve façade.\n"
CYRILLIC = """Анна: Добрый день, как прошла неделя?
Борис: Спасибо, было непросто, но я справился.
"""
DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?>{dtd}<w:document xmlns:w="http://schemas.openxmlformats.'
    'org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
)


def docx(body: str, dtd: str = "", part: str = "word/document.xml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(part, DOCUMENT.format(body=body, dtd=dtd))
    return buffer.getvalue()


def refused(data: bytes, name: str = "x.txt") -> str:
    with pytest.raises(CoachError) as caught:
        read(data, name)
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (WORDS.encode(), "utf-8"),
        (codecs.BOM_UTF8 + WORDS.encode(), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"), "utf-16-be"),
        (WORDS.encode("utf-16-le"), "utf-16-le"),
        (WORDS.encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF32_LE + WORDS.encode("utf-32-le"), "utf-32-le"),
        (WORDS.encode("cp1252"), "cp1252"),
    ],
)
def test_the_same_words_in_each_encoding(data: bytes, encoding: str) -> None:
    parsed = read(data, "x.txt")
    assert parsed.encoding == encoding
    assert [(cue.speaker_label, cue.text) for cue in parsed.cues] == [
        ("Anna", "Déjà vu \u2013 “schön”, 5 €."),
        ("Ben", "Ça va, naïve façade."),
    ]
    assert parsed.size_bytes == len(data)


def test_another_alphabet_is_guessed_as_the_last_resort() -> None:
    lines = CYRILLIC * 9
    parsed = read(lines.encode("cp1251"), "x.txt")
    assert len(parsed.cues) == 18
    assert parsed.encoding != "cp1252"


def test_a_few_broken_bytes_in_utf8_do_not_spoil_the_rest() -> None:
    data = (WORDS * 5).encode().replace(b"fa\xc3\xa7ade", b"fa\xc3ade", 1)
    parsed = read(data, "x.txt")
    assert (parsed.encoding, dict(parsed.cleaned)) == ("utf-8", {"damaged": 1})
    assert parsed.cues[0].text == "Déjà vu \u2013 “schön”, 5 €."


@pytest.mark.parametrize(
    "data", [b"", b" \r\n\t", codecs.BOM_UTF8, codecs.BOM_UTF16_LE + b"\n\x00"]
)
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refused(data) == "COACH-TRN-002"


def test_a_file_above_ten_megabytes_is_refused_before_it_is_decoded() -> None:
    data = b"A" * (LIMITS.size_bytes + 1)
    tracemalloc.start()
    try:
        assert refused(data) == "COACH-TRN-003"
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    with pytest.raises(CoachError, match="COACH-TRN-003"):
        check_size(LIMITS.size_bytes + 1, "x.vtt")
    check_size(LIMITS.size_bytes, "x.vtt")


def test_a_recording_above_twelve_hours_is_refused_with_the_line() -> None:
    text = "WEBVTT\n\n11:00:00.000 --> 12:00:00.000\nok\n\n12:00:00.000 --> 12:00:00.001\nlate\n"
    with pytest.raises(CoachError) as caught:
        read(text.encode(), "x.vtt")
    assert (caught.value.code, caught.value.details["line"]) == ("COACH-TRN-004", 6)


@pytest.mark.long
def test_exactly_the_most_cues_are_read_and_one_more_is_refused() -> None:
    most = "\n".join(["WEBVTT\n", *["00:01.0 --> 00:02.0\na\n"] * LIMITS.cues])
    assert len(read(most.encode(), "x.vtt").cues) == LIMITS.cues
    assert refused((most + "\n00:01.0 --> 00:02.0\na\n").encode(), "x.vtt") == "COACH-TRN-005"
    assert refused(b"A: b\n" * (LIMITS.cues + 1), "x.txt") == "COACH-TRN-005"
    assert refused(b"no name\n" * (LIMITS.cues + 1) + b"A: b\nB: c\n", "x.txt") == "COACH-TRN-005"
    assert (
        refused(b'[{"text":"a"}' + b',{"text":"a"}' * LIMITS.cues + b"]", "x.json")
        == "COACH-TRN-005"
    )


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"%PDF-1.7\n", "x.pdf", "COACH-TRN-001"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "x.vtt", "COACH-TRN-001"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "x.docx", "COACH-TRN-001"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(50), "x.mp4", "COACH-TRN-001"),
        (b"{\\rtf1 Anna: hi}", "x.rtf", "COACH-TRN-001"),
        (b"<!DOCTYPE html><p>Anna: hi", "x.html", "COACH-TRN-001"),
        (b"name,mail\nAnna,a@example.org\n", "x.csv", "COACH-TRN-001"),
        (b"just some prose", "x.vtt", "COACH-TRN-001"),
        (bytes(range(256)) * 9, "x.txt", "COACH-TRN-006"),
        (b"\x01\x02\x03" * 99, "x.vtt", "COACH-TRN-006"),
        (b"PK\x03\x04 no zip at all", "x.docx", "COACH-TRN-007"),
        (b"WEBVTT\n\nNOTE nothing\n", "x.vtt", "COACH-TRN-012"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nhi\n", "x.vtt", "COACH-TRN-012"),
        (b"plain words", "x.json", "COACH-TRN-010"),
    ],
)
def test_what_is_no_transcript_is_refused_with_a_code(data: bytes, name: str, code: str) -> None:
    assert refused(data, name) == code
    assert CATALOGUE[code].next_step


def test_a_zip_that_is_no_document_or_damaged_is_refused() -> None:
    assert refused(docx("", part="xl/workbook.xml"), "x.xlsx") == "COACH-TRN-001"
    good = docx("<w:p><w:r><w:t>Anna: hi</w:t></w:r></w:p>" * 40)
    assert refused(good[:-30], "x.docx") == "COACH-TRN-007"
    middle = len(good) // 3
    broken = (
        good[:middle] + bytes(b ^ 0x55 for b in good[middle : middle + 40]) + good[middle + 40 :]
    )
    assert refused(broken, "x.docx") == "COACH-TRN-007"
    assert refused(docx("<w:p>"), "x.docx") == "COACH-TRN-007"


def test_a_password_protected_zip_is_refused() -> None:
    data = bytearray(docx("<w:p/>"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert refused(bytes(data), "x.docx") == "COACH-TRN-007"


def test_a_zip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = docx("<w:p><w:r><w:t>" + "a" * 8_000_000 + "</w:t></w:r></w:p>")
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        assert refused(bomb, "x.docx") == "COACH-TRN-008"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_whose_directory_lies_about_the_size_is_stopped_while_reading() -> None:
    bomb = bytearray(docx("<w:p><w:r><w:t>" + "a" * 8_000_000 + "</w:t></w:r></w:p>"))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = bomb.index(signature) + offset
        bomb[at : at + 4] = (900_000).to_bytes(4, "little")
    tracemalloc.start()
    try:
        assert refused(bytes(bomb), "x.docx") in {"COACH-TRN-007", "COACH-TRN-008"}
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_too_many_files_in_a_zip_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(LIMITS.zip_members + 1):
            archive.writestr(f"{number}", "")
    assert refused(buffer.getvalue(), "x.docx") == "COACH-TRN-008"


def test_billion_laughs_and_external_entities_are_refused() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    dtd = f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]>'
    assert refused(docx("<w:p><w:r><w:t>&l9;</w:t></w:r></w:p>", dtd), "x.docx") == "COACH-TRN-009"
    dtd = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    assert refused(docx("<w:p><w:r><w:t>&x;</w:t></w:r></w:p>", dtd), "x.docx") == "COACH-TRN-009"


def test_json_with_millions_of_objects_is_refused_before_it_is_parsed() -> None:
    data = b"[" + b"[]," * LIMITS.json_nodes + b"[]]"
    tracemalloc.start()
    try:
        assert refused(data, "x.json") == "COACH-TRN-003"
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v a" * 100_000,
        "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v." * 100_000,
        "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "{\\a<c &a" * 50_000,
        "WEBVTT\n\n00:01.000 --> 00:02.000\nx" + "-" * 1_000_000,
        "Anna: x\nBen: " + "[0:1 " * 100_000,
        "Anna: x\nBen: y\n" + ("a" + " " * 4_000 + "b\n") * 40,
        "Anna: x\nBen: y\n" + "0:10 - " * 100_000,
    ],
)
def test_text_made_to_be_slow_is_read_in_linear_time(text: str) -> None:
    """With a step that looks back over the rest each time, each of these would take minutes."""
    assert read(text.encode(), "x.vtt").cues


def test_a_speaker_whose_initials_look_like_a_zip_is_a_speaker() -> None:
    assert read(b"PK: hello\nAB: hi\n", "x.txt").speakers == ("PK", "AB")
