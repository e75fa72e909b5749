"""Cursors: what goes in comes out, nobody can change one, later ones sort after earlier ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core.errors import CoachError
from coachops.export.feed import Cursor

places = st.integers(0, 2**63 - 1)
words = st.text("0123456789abcdef", min_size=16, max_size=16)
cursors = st.builds(Cursor, words, places, places, st.integers(1, 99), words, st.integers(1, 2**40))


@given(cursors, st.binary(min_size=1))
def test_what_goes_in_comes_out(cursor: Cursor, secret: bytes) -> None:
    assert Cursor.decode(cursor.encode(secret), secret) == cursor


@given(cursors, st.data())
def test_one_that_was_changed_anywhere_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    text = cursor.encode(b"secret")
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(
        st.sampled_from("0123456789abcdefghABCDEFGH-_.").filter(lambda x: x != text[place])
    )
    changed = text[:place] + letter + text[place + 1 :]
    with pytest.raises(CoachError) as caught:
        Cursor.decode(changed, b"secret")
    assert caught.value.code == "COACH-FED-001"


@given(
    st.one_of(
        st.text(max_size=300),
        st.from_regex(r"[0-9a-f]{16}\.[\w-]{1,50}\.[\w-]{43}", fullmatch=True),
    )
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CoachError) as caught:
        Cursor.decode(text, b"secret")
    assert caught.value.code == "COACH-FED-001"


@given(cursors, cursors)
def test_another_installation_cannot_read_it(one: Cursor, other: Cursor) -> None:
    with pytest.raises(CoachError):
        Cursor.decode(one.encode(b"secret of one"), b"secret of another")
    earlier, later = one.encode(b"s"), other.encode(b"s")
    if one.pos < other.pos:
        assert earlier < later
