"""The catalogue: codes are unique, well-formed and survive the queue."""

from __future__ import annotations

import pickle
import re

import pytest

from coachops.core import errors
from coachops.core.errors import CATALOGUE, CoachError


def test_every_code_has_the_agreed_form_and_texts() -> None:
    for code, spec in CATALOGUE.items():
        assert re.fullmatch(r"COACH-[A-Z]{2,3}-\d{3}", code)
        assert spec.happened.rstrip().endswith((".", "}"))
        assert spec.next_step.endswith(".")
        assert spec.who in {"you", "admin", "support"}


def test_no_code_stands_in_two_areas() -> None:
    rows = [
        spec.code for name in dir(errors) for spec in getattr(getattr(errors, name), "ROWS", ())
    ]
    assert len(rows) == len(set(rows)) == len(CATALOGUE)


def test_an_error_fills_its_texts_and_survives_pickling() -> None:
    error = CoachError("COACH-TRN-001", name="x.vtt", reason="no cues")
    assert "x.vtt" in error.message
    assert pickle.loads(pickle.dumps(error)).as_dict() == error.as_dict()  # noqa: S301 our own bytes


def test_an_unknown_code_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        CoachError("COACH-XXX-999")
