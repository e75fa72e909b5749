"""A pair with an analysed session."""

from __future__ import annotations

import uuid

import pytest

from coachops.db import Database
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import make_analysis


@pytest.fixture
def pair(database: Database) -> Pair:
    return make_pair(database)


@pytest.fixture
def transcript_id(database: Database, pair: Pair) -> uuid.UUID:
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["You want to hand over three tasks."])
    return transcript_id
