"""What mail services report by HTTP: by scope, each event once, about letters of ours only."""

from __future__ import annotations

from pathlib import Path

import pytest

from coachops.coaching import messages
from coachops.coaching.messages import letterhead_for
from coachops.coaching.messages.references import letter_ref
from tests.api.conftest import ORIGIN, Site
from tests.coaching.builders import Pair, make_transcript
from tests.coaching.messages.parts import ListMailer, make_analysis


@pytest.fixture
def row(site: Site, pair: Pair) -> messages.MessageRow:
    """A letter that was sent."""
    database, secret = site.services.database, site.services.secret("feedback")
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    drafted = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, drafted.id, 1)
    head = letterhead_for(site.services.settings, secret)
    messages.claim_and_send(database, ListMailer(), drafted.id, head)
    return messages.get(database, pair.actor, drafted.id)


@pytest.fixture
def bearer(site: Site) -> dict[str, str]:
    site.add("robot@example.org", "service")
    return site.token("robot@example.org", "mail-events:write")


def event(row: messages.MessageRow, number: str, kind: str, **more: object) -> dict[str, object]:
    return {"id": number, "kind": kind, "message_id": str(row.mail_id)} | more


def test_each_event_counts_once_and_stops_the_letters(
    site: Site, pair: Pair, row: messages.MessageRow, bearer: dict[str, str]
) -> None:
    events = [
        event(row, "1", "delivered", at="2026-11-23T09:00:00Z"),
        event(row, "2", "bounced", status="5.1.1"),
        {"id": "3", "kind": "complained", "message_id": letter_ref(row.id, row.version)},
        {"id": "4", "kind": "bounced", "message_id": "<other@example.com>", "status": "5.1.1"},
    ]
    answer = site.client.post("/v1/mail-events", json={"events": events}, headers=bearer)
    assert (answer.status_code, answer.json()) == (
        200, {"recorded": 3, "duplicate": 0, "unknown": 1},
    )  # fmt: skip
    answer = site.client.post("/v1/mail-events", json={"events": events}, headers=bearer)
    assert answer.json() == {"recorded": 0, "duplicate": 4, "unknown": 0}
    secret = site.services.secret("feedback")
    listed = messages.of_client(site.services.database, pair.actor, pair.client_id, secret)
    assert listed is not None
    assert listed.reason == "complaint"


def test_without_the_scope_or_the_role_nothing_is_taken(
    site: Site, pair: Pair, row: messages.MessageRow
) -> None:
    site.add("other@example.org", "service")
    body = {"events": [event(row, "1", "bounced", status="5.1.1")]}
    wrong = site.token("other@example.org", "transcripts:read")
    assert site.client.post("/v1/mail-events", json=body, headers=wrong).status_code == 403
    assert site.client.post("/v1/mail-events", json=body).status_code == 403
    assert (
        site.client.post("/v1/mail-events", json=body, headers={"Origin": ORIGIN}).status_code
        == 401
    )
    site.sign_in(site.email_of(pair))
    refused = site.client.post("/v1/mail-events", json=body, headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-003")
    assert messages.get(site.services.database, pair.actor, row.id).delivery is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "opened"},
        {"status": "5.1"},
        {"status": "no such user maya@example.org"},
        {"id": ""},
        {"message_id": "x" * 401},
        {"at": "2026-11-23T09:00:00"},
    ],
)
def test_odd_events_are_refused_as_a_whole(
    site: Site,
    pair: Pair,
    row: messages.MessageRow,
    bearer: dict[str, str],
    wrong: dict[str, str],
) -> None:
    good = event(row, "1", "bounced", status="5.1.1")
    body = {"events": [good, good | {"id": "2"} | wrong]}
    answer = site.client.post("/v1/mail-events", json=body, headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (422, "COACH-API-006")
    assert messages.get(site.services.database, pair.actor, row.id).delivery is None


def test_too_many_or_no_events_are_refused(
    site: Site, row: messages.MessageRow, bearer: dict[str, str], tmp_path: Path
) -> None:
    many = [event(row, str(number), "delivered") for number in range(101)]
    for events in (many, []):
        answer = site.client.post("/v1/mail-events", json={"events": events}, headers=bearer)
        assert answer.status_code == 422
