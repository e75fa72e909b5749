"""Cleaning: what has no place in words goes, what has meaning stays, and it takes linear time."""

from __future__ import annotations

import time
import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from coachops.core.text import CleanLine, CleanText, clean, clean_line, clean_text, is_blank
from tests.faults.naughty import BLANK, NAUGHTY

ANY = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cc", "Cf", "Mn"]),
        st.sampled_from("\u200d\ufe0f\U0001f3f4\U000e0067\U000e007f\u0344\u0300\u0327\r\n\t "),
    ),
    max_size=60,
)


@pytest.mark.faults(30)
@pytest.mark.parametrize("kind", NAUGHTY)
def test_naughty_text_is_cleaned_without_loss_of_meaning(kind: str) -> None:
    raw, kept = NAUGHTY[kind]
    assert clean_line(raw) == kept


@pytest.mark.parametrize("text", BLANK)
def test_what_nobody_sees_is_blank(text: str) -> None:
    assert is_blank(clean_line(text))


@given(ANY)
def test_the_result_is_clean_storable_and_stable(text: str) -> None:
    cleaned = clean(text)
    again = clean(cleaned.text)
    assert again.text == cleaned.text
    assert dict(again.removed) == {}
    cleaned.text.encode("utf-8")
    assert unicodedata.is_normalized("NFC", cleaned.text)
    assert not any(
        unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n\r" for c in cleaned.text
    )
    assert clean_line(clean_line(text)) == clean_line(text)
    assert clean_text(clean_text(text)) == clean_text(text)


@given(ANY)
def test_letters_digits_and_symbols_stay(text: str) -> None:
    def visible(words: str) -> list[str]:
        decomposed = unicodedata.normalize("NFD", words)
        return [c for c in decomposed if unicodedata.category(c)[0] in "LNSP" and c != "\ufffd"]

    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert visible(clean(text).text) == visible(joined)


def test_line_ends_of_typed_words_are_one_kind() -> None:
    assert clean_text(" a\r\nb\rc\u2028d\n") == "a\nb\nc d"
    assert clean_line(" a\r\nb\tc ") == "a b c"


def test_what_was_taken_out_is_counted_by_kind() -> None:
    removed = clean("\x00\x00\x07\u202e\u200b\x85\ud800").removed
    assert dict(removed) == {
        "nul": 2, "control": 1, "bidi": 1, "invisible": 1, "separator": 1, "damaged": 1,
    }  # fmt: skip


def test_a_million_marks_on_a_letter_take_no_time() -> None:
    """Sorting them naively takes hours."""
    started = time.process_time()
    text = clean("a" + "\u0315\u0300\u05ae\u0327" * 250_000).text
    assert time.process_time() - started < 20
    assert text.count("\u0327") == 250_000 - text.count("\u00e7")


class Form(BaseModel):
    """A model with both kinds of fields."""

    name: Annotated[str, CleanLine(max=5, min=1)]
    words: Annotated[str, CleanText(max=9)] = ""
    other: Annotated[str | None, CleanLine(max=5)] = None


def test_fields_are_cleaned_before_they_are_measured() -> None:
    form = Form(name="\u200b a\u202eb\n c\x00 ", words=" x\r\ny\x07 ", other="\x00z")
    assert (form.name, form.words, form.other) == ("ab c", "x\ny", "z")
    assert Form(name="\u200b" * 50 + "a").name == "a"
    schema = Form.model_json_schema()["properties"]
    assert (schema["name"]["maxLength"], schema["name"]["minLength"]) == (5, 1)


@pytest.mark.parametrize("name", ["", "123456", "\u200d", "\u3164", 5, None, b"a"])
def test_fields_refuse_what_is_blank_too_long_or_no_text(name: object) -> None:
    with pytest.raises(ValidationError):
        Form(name=name)
    with pytest.raises(ValidationError):
        Form(name="a", other="123456")
