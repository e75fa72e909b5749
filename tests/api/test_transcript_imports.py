"""`POST /v1/imports/transcripts`: each line stands alone, nothing is doubled, nobody reaches further."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.api import uploading
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.db.models import QuarantineItem, Transcript
from tests.api.conftest import Site
from tests.coaching.builders import Pair, make_pair

PATH = "/v1/imports/transcripts"
HELD = "2026-11-20"


def vtt(word: str) -> str:
    return (
        "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Coach>How was your week?\n\n"
        f"00:05.000 --> 00:08.000\n<v Client>I handed over the {word}.\n"
    )


@pytest.fixture
def crm(site: Site) -> dict[str, str]:
    site.add("crm@example.org", "service")
    return site.token("crm@example.org", "transcripts:write")


def line(pair: Pair, word: str, **more: object) -> dict[str, object]:
    row = {"name": f"{word}.vtt", "client": str(pair.client_id), "coach": str(pair.coach_id)}
    return {**row, "held_on": HELD, "text": vtt(word), **more}


def send(site: Site, headers: dict[str, str], *rows: object, key: str = "") -> Any:
    more = {"Idempotency-Key": key} if key else {}
    return site.client.post(
        PATH,
        content="\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows),
        headers=headers | {"Content-Type": "application/x-ndjson"} | more,
    )


def results(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(each) for each in response.text.splitlines()]


def count(site: Site, table: type) -> int:
    with site.services.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_each_line_is_imported_queued_and_answered_and_none_is_doubled(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    coded = line(
        pair, "budget", text=None, base64=base64.b64encode(vtt("budget").encode()).decode()
    )
    one, two, end = results(send(site, crm, line(pair, "plan"), coded))
    assert [(each["line"], each["name"], each["status"]) for each in (one, two)] == [
        (1, "plan.vtt", "created"), (2, "budget.vtt", "created"),
    ]  # fmt: skip
    assert (one["cues"], one["unparsed"], one["queued"]) == (2, 0, True)
    assert end == {"done": True, "lines": 2, "created": 2, "unchanged": 0, "rejected": 0}
    assert [str(each) for each in site.queue.taken] == [one["transcript_id"], two["transcript_id"]]
    with site.services.database.read() as session:
        originals = set(session.scalars(sa.select(Transcript.original)))
    assert originals == {vtt("plan").encode(), vtt("budget").encode()}
    again = results(send(site, crm, coded, line(pair, "plan"), line(pair, "team")))
    assert [each["status"] for each in again[:-1]] == ["unchanged", "unchanged", "created"]
    assert [each["transcript_id"] for each in again[:2]] == [
        two["transcript_id"], one["transcript_id"],
    ]  # fmt: skip
    assert count(site, Transcript) == 3


def test_what_is_wrong_with_a_line_stops_no_other(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    bad: list[tuple[object, str]] = [
        ("{", "COACH-INB-009"),
        ("[]", "COACH-INB-009"),
        ({"client": "x"}, "COACH-INB-009"),
        (line(pair, "a", base64="aGk="), "COACH-INB-009"),
        (line(pair, "b", text=None, base64="not base64!"), "COACH-INB-009"),
        (json.dumps(line(pair, "s")).replace("week", "\\ud800"), "COACH-INB-009"),
        (line(pair, "c", held_on="yesterday"), "COACH-INB-009"),
        (line(pair, "d", colour="red"), "COACH-INB-009"),
        (line(pair, "e", client="nobody@example.org"), "COACH-CCH-001"),
        (line(pair, "f", coach=""), "COACH-API-006"),
    ]
    *told, end = results(send(site, crm, *(row for row, _ in bad), line(pair, "good")))
    assert [each.get("code") for each in told] == [*(code for _, code in bad), None]
    assert all(each["next_step"] for each in told[:-1])
    assert told[-1]["status"] == "created"
    assert (end["created"], end["rejected"], end["done"]) == (1, len(bad), True)
    assert count(site, Transcript) == 1


def test_a_file_that_cannot_be_read_waits_in_the_quarantine(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    docx = base64.b64encode(b"PK\x03\x04 not a document").decode()
    rows = (
        line(pair, "a", name="a.docx", text=None, base64=docx),
        line(pair, "c", text=""),
    )
    *told, end = results(send(site, crm, *rows))
    assert end["rejected"] == count(site, QuarantineItem) == 2, told
    for each in told:
        assert each["code"].startswith("COACH-TRN-")
        assert each["quarantine_id"]


def test_a_key_answers_as_before_and_belongs_to_one_batch(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    first = send(site, crm, line(pair, "plan"), key="k1")
    again = send(site, crm, line(pair, "plan"), key="k1")
    assert results(again)[0]["transcript_id"] == results(first)[0]["transcript_id"]
    other = send(site, crm, line(pair, "other"), key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "COACH-INB-007")
    assert count(site, Transcript) == 1


def test_tokens_reach_no_further_than_with_a_single_upload(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    stranger = make_pair(site.services.database)
    limited = site.token(
        "crm@example.org", "transcripts:write",
        grant=Grant(coaches=frozenset({pair.coach_id})),
    )  # fmt: skip
    mine, theirs, _ = results(send(site, limited, line(pair, "plan"), line(stranger, "plan")))
    assert (mine["status"], theirs["code"]) == ("created", "COACH-CCH-001")
    unseen = site.token(
        "crm@example.org", "transcripts:write", "exports:run", grant=Grant(privacy="pseudonymous")
    )
    other = site.token("crm@example.org", "roster:write")
    for headers, status in ((unseen, 403), (other, 403), ({}, 403)):
        assert send(site, headers, line(pair, "x")).status_code == status
    assert count(site, Transcript) == 1


def test_a_batch_that_is_none_is_refused_as_a_whole(
    site: Site, crm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in (b"", b"\xff\xfe", b"\n\n"):
        response = site.client.post(PATH, content=data, headers=crm)
        assert (response.status_code, response.json()["code"]) == (422, "COACH-INB-008")
    monkeypatch.setattr("coachops.api.transcript_imports.MAX_LINE", 100)
    told, _ = results(send(site, crm, {"text": "x" * 200}))
    assert told["code"] == "COACH-INB-009"


def test_a_database_that_goes_away_is_the_last_line_and_what_was_done_stays(
    site: Site, crm: dict[str, str], pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: Callable[..., Any] = uploading.take

    def away(context: Any, caller: Any, data: bytes, name: str, **more: Any) -> Any:
        if name == "b.vtt":
            raise CoachError("COACH-DB-001", reason="gone", retry_after=5)
        return work(context, caller, data, name, **more)

    monkeypatch.setattr("coachops.api.transcript_imports.take", away)
    one, end = results(send(site, crm, line(pair, "a"), line(pair, "b"), line(pair, "c")))
    assert one["status"] == "created"
    assert (end["done"], end["code"], end["created"]) == (False, "COACH-DB-001", 1)
    assert count(site, Transcript) == 1


def test_a_queue_that_is_away_loses_no_transcript(
    site: Site, crm: dict[str, str], pair: Pair
) -> None:
    site.queue.error = CoachError("COACH-JOB-003", reason="away")
    one, _ = results(send(site, crm, line(pair, "a")))
    assert (one["status"], one["queued"]) == ("created", False)
