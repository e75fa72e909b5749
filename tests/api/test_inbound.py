"""`/v1/{coaches,clients,engagements,sessions}` and `/v1/imports` over HTTP."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.core.grants import Grant
from coachops.db.models import Client, Coach, CoachingSession, KeptReply
from tests.api.conftest import Site
from tests.coaching.builders import Pair

ADA = {"name": "Ada Reyes", "email": "ada@example.org"}
ROWS = (
    {"type": "coach", "external_id": "c1", **ADA},
    {"type": "client", "external_id": "k1", "name": "Maya Okafor"},
    {"type": "engagement", "external_id": "e1", "coach": "c1", "client": "k1",
     "started_on": "2026-09-01"},
    {"type": "session", "external_id": "s1", "engagement": "e1", "held_on": "2026-11-20"},
)  # fmt: skip
VTT = b"WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Ada Reyes>What now?\n\n" + (
    b"00:00:05.000 --> 00:00:09.000\n<v Maya Okafor>I will write the list.\n"
)


@pytest.fixture
def crm(site: Site) -> dict[str, str]:
    site.add("crm@example.org", "service")
    return site.token("crm@example.org", "roster:write", "sessions:write", "transcripts:write")


def ndjson(*rows: object) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def send_batch(site: Site, headers: dict[str, str], data: bytes, key: str = "") -> Any:
    more = {"Idempotency-Key": key} if key else {}
    return site.client.post(
        "/v1/imports",
        content=data,
        headers=headers | {"Content-Type": "application/x-ndjson"} | more,
    )


def results(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_row_is_created_read_updated_and_its_version_guards_it(
    site: Site, crm: dict[str, str]
) -> None:
    address = "/v1/coaches/c1"
    first = site.client.put(address, headers=crm, json=ADA)
    assert (first.status_code, first.json()["status"]) == (201, "created")
    tag = first.headers["etag"]
    assert tag == f'"{first.json()["version"]}"'
    again = site.client.put(address, headers=crm, json=ADA)
    assert (again.status_code, again.json()["status"], again.headers["etag"]) == (
        200, "unchanged", tag,
    )  # fmt: skip
    read = site.client.get(address, headers=crm)
    assert read.json() == first.json() | {"status": None}
    held = site.client.get(address, headers=crm | {"If-None-Match": f'W/{tag}, "x"'})
    assert (held.status_code, held.content, held.headers["etag"]) == (304, b"", tag)
    new = ADA | {"name": "Ada R."}
    for headers in ({"If-Match": '"old"'}, {"If-Match": f"W/{tag}"}, {"If-None-Match": "*"}):
        stopped = site.client.put(address, headers=crm | headers, json=new)
        assert (stopped.status_code, stopped.json()["code"]) == (412, "COACH-INB-002")
        assert stopped.json()["version"] == first.json()["version"]
    done = site.client.put(address, headers=crm | {"If-Match": f'"other", {tag}'}, json=new)
    assert (done.status_code, done.json()["name"]) == (200, "Ada R.")
    for odd in ({"If-Match": "no quotes"}, {"If-None-Match": '"a"'}):
        refused = site.client.put(address, headers=crm | odd, json=new)
        assert (refused.status_code, refused.json()["code"]) == (422, "COACH-API-006")


def test_a_conflict_names_the_fields_and_both_versions(site: Site, crm: dict[str, str]) -> None:
    written = site.client.put("/v1/clients/k1", headers=crm, json={"name": "Maya"}).json()
    with site.services.database.write() as session:
        session.scalars(sa.select(Client)).one().name = "Maya O."
    answer = site.client.put("/v1/clients/k1", headers=crm, json={"name": "M."})
    body = answer.json()
    now = site.client.get("/v1/clients/k1", headers=crm).json()
    assert (answer.status_code, body["code"], body["fields"]) == (409, "COACH-INB-001", ["name"])
    assert (body["last_version"], body["version"]) == (written["version"], now["version"])
    forced = site.client.put("/v1/clients/k1?overwrite=true", headers=crm, json={"name": "M."})
    assert (forced.status_code, forced.json()["name"]) == (200, "M.")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("coaches/c9", ADA | {"phone": "1"}, "phone"),
        ("coaches/c9", ADA | {"\ud800": "1"}, ""),
        ("coaches/c9", {"name": "Ada"}, "email"),
        ("coaches/c9", ADA | {"name": 7}, "name"),
        ("coaches/c9", ADA | {"name": " \u200b\u2060 "}, "name"),
        ("coaches/c9", ADA | {"name": "x" * 201}, "name"),
        ("coaches/c9", ADA | {"email": "ada at example"}, "email"),
        ("coaches/%E2%80%8B", ADA, "external_id"),
        ("coaches/" + "x" * 201, ADA, "external_id"),
        ("engagements/e9", {"coach": "c", "client": "k", "started_on": 20261101}, "started_on"),
        ("engagements/e9", {"coach": "c", "client": "k", "started_on": "2026-13-01"}, "started_on"),
        ("sessions/s9", {"engagement": "e", "held_on": "2026-11-01T00:00:00"}, "held_on"),
        ("sessions/s9", {"engagement": "e", "held_on": "2026-11-01", "duration_ms": True}, "duration_ms"),
        ("sessions/s9", {"engagement": "e", "held_on": "2026-11-01", "duration_ms": -1}, "duration_ms"),
        ("coaches/c9", [], ""),
    ],
)  # fmt: skip
def test_bodies_of_the_wrong_form_are_refused_with_the_field(
    site: Site, crm: dict[str, str], path: str, body: Any, field: str
) -> None:
    data = json.dumps(body).encode()
    headers = crm | {"Content-Type": "application/json"}
    answer = site.client.put(f"/v1/{path}", headers=headers, content=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "COACH-API-006")
    assert answer.json()["detail"].startswith(field)
    with site.services.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Coach)) == 0


def test_a_body_that_is_cut_too_large_or_no_json_writes_nothing(
    site: Site, crm: dict[str, str]
) -> None:
    headers = crm | {"Content-Type": "application/json"}
    for data, status in ((b'{"name": "Ada', 422), (b"\xff\xfe", 422), (b" " * 70_000, 413)):
        answer = site.client.put("/v1/coaches/c1", headers=headers, content=data)
        assert answer.status_code == status, answer.text
    assert site.client.get("/v1/coaches/c1", headers=crm).status_code == 404


def test_scopes_and_limits_of_the_token_hold(site: Site, pair: Pair) -> None:
    site.add("crm@example.org", "service")
    with site.services.database.read() as session:
        known = session.get_one(Client, pair.client_id).external_id
    reads = site.token("crm@example.org", "transcripts:read")
    assert site.client.put("/v1/coaches/c1", headers=reads, json=ADA).status_code == 403
    only_roster = site.token("crm@example.org", "roster:write")
    assert site.client.get("/v1/sessions/s1", headers=only_roster).status_code == 403
    assert send_batch(site, only_roster, ndjson(ROWS[0])).status_code == 403
    hidden = site.token(
        "crm@example.org", "roster:write", "exports:run", grant=Grant(privacy="pseudonymous")
    )
    refused = site.client.get(f"/v1/clients/{known}", headers=hidden)
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-016")
    narrow = site.token(
        "crm@example.org", "roster:write", grant=Grant(coaches=frozenset({pair.coach_id}))
    )
    assert site.client.get(f"/v1/clients/{known}", headers=narrow).status_code == 200
    outside = site.client.put("/v1/coaches/c9", headers=narrow, json=ADA)
    assert (outside.status_code, outside.json()["code"]) == (403, "COACH-IDN-016")
    assert site.client.put("/v1/coaches/c1", json=ADA).status_code in {401, 403}
    coaches = site.token(
        "crm@example.org", "roster:write", "sessions:write", grant=Grant(frozenset({"coaches"}))
    )
    assert site.client.put("/v1/coaches/c7", headers=coaches, json=ADA).status_code == 201
    for answer in (
        site.client.get(f"/v1/clients/{known}", headers=coaches),
        site.client.put(f"/v1/clients/{known}", headers=coaches, json={"name": "Maya"}),
        site.client.delete("/v1/sessions/s1", headers=coaches),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "COACH-IDN-016")
    (line, _) = results(
        send_batch(site, coaches, ndjson({"type": "client", "external_id": known, "name": "Maya"}))
    )
    assert (line["status"], line["code"]) == ("rejected", "COACH-IDN-016")


def test_a_batch_takes_parents_first_and_answers_line_by_line(
    site: Site, crm: dict[str, str]
) -> None:
    bad = (
        b"{not json", b"[]", b'{"type": "coach", "external_id": " "}', b'{"type": "horse"}',
        b'{"type": "client", "external_id": "k2", "name": "K", "\\u0000\\ud800": 1}',
        ndjson({"type": "session", "external_id": "s2", "engagement": "none", "held_on": "2026-11-20"}),
        b'{"type": "client", "external_id": "k3", "name": "' + b"x" * 70_000 + b'"}',
    )  # fmt: skip
    data = ndjson(*ROWS) + b"\n\n" + b"\n".join(bad) + b"\n"
    *lines, sums = results(send_batch(site, crm, data))
    assert [each["line"] for each in lines] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    assert [each["status"] for each in lines] == [*["created"] * 4, *["rejected"] * 7]
    assert [each["code"] for each in lines[4:]] == [
        *["COACH-INB-009"] * 5, "COACH-INB-003", "COACH-INB-009",
    ]  # fmt: skip
    assert sums == {
        "done": True, "lines": 11, "created": 4, "updated": 0, "unchanged": 0, "rejected": 7,
    }  # fmt: skip
    read = site.client.get("/v1/sessions/s1", headers=crm).json()
    assert (read["version"], read["coach"]) == (lines[3]["version"], "c1")
    *lines, _ = results(send_batch(site, crm, ndjson(*ROWS)))
    assert {each["status"] for each in lines} == {"unchanged"}


def test_a_batch_that_comes_again_with_its_key_is_answered_as_before(
    site: Site, crm: dict[str, str]
) -> None:
    rows = [{"type": "client", "external_id": f"k{n}", "name": f"Client {n}"} for n in range(250)]
    first = send_batch(site, crm, ndjson(*rows, {"type": "client"}), "key-1")
    assert results(first)[-1]["created"] == 250
    with site.services.database.write() as session:
        session.execute(sa.update(Client).values(name="By hand"))
    again = send_batch(site, crm, ndjson(*rows, {"type": "client"}), "key-1")
    assert again.text == first.text
    with site.services.database.read() as session:
        assert set(session.scalars(sa.select(Client.name))) == {"By hand"}
        kept = str(session.scalars(sa.select(KeptReply.reply)).all())
    assert "Client 1" not in kept
    other = send_batch(site, crm, ndjson(rows[0]), "key-1")
    assert (other.status_code, other.json()["code"]) == (422, "COACH-INB-007")
    site.add("other@example.org", "service")
    stranger = site.token("other@example.org", "roster:write", "sessions:write")
    assert results(send_batch(site, stranger, ndjson(rows[0]), "key-1"))[-1]["rejected"] == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"\n \n", b"\xff", b'{"a": 1}\n' * 10_001],
    ids=["empty", "blank", "bytes", "long"],
)
def test_what_is_no_batch_is_refused_whole(site: Site, crm: dict[str, str], data: bytes) -> None:
    answer = send_batch(site, crm, data)
    assert (answer.status_code, answer.json()["code"]) == (422, "COACH-INB-008")
    assert send_batch(site, crm, b" " * (21 << 20)).status_code == 413
    assert send_batch(site, crm, ndjson(ROWS[0]), "k" * 201).status_code == 422


def test_a_transcript_goes_to_its_session_and_its_key_repeats_it(
    site: Site, crm: dict[str, str]
) -> None:
    results(send_batch(site, crm, ndjson(*ROWS)))
    form = {"client": "k1", "coach": "c1", "session": "s1"}

    def upload(key: str, data: bytes = VTT, **more: str) -> Any:
        return site.client.post(
            "/v1/transcripts",
            headers=crm | {"Idempotency-Key": key},
            data=form | more,
            files={"file": ("talk.vtt", data)},
        )

    first, again = upload("a"), upload("a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() | {"queued": True} == again.json() | {"queued": True}
    with site.services.database.read() as session:
        meeting = session.scalars(sa.select(CoachingSession)).one()
    assert uuid.UUID(first.json()["session_id"]) == meeting.id
    assert upload("b").status_code == 200  # without its key the same file is a duplicate
    changed = upload("a", VTT + b"\n")
    assert (changed.status_code, changed.json()["code"]) == (422, "COACH-INB-007")
    second = upload("c", VTT + b"\n")
    assert (second.status_code, second.json()["code"]) == (422, "COACH-CCH-005")
    unknown = upload("d", VTT + b"\n", session="nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "COACH-CCH-001")
    gone = site.client.delete("/v1/sessions/s1", headers=crm)
    assert (gone.status_code, gone.json()["code"]) == (409, "COACH-INB-006")


def test_a_session_to_come_is_cancelled_once_and_takes_no_transcript(
    site: Site, crm: dict[str, str]
) -> None:
    results(send_batch(site, crm, ndjson(*ROWS[:3])))
    body = {"engagement": "e1", "held_on": "2031-01-05"}
    written = site.client.put("/v1/sessions/s1", headers=crm, json=body)
    assert written.status_code == 201
    early = site.client.post(
        "/v1/transcripts",
        headers=crm,
        data={"client": "k1", "coach": "c1", "session": "s1"},
        files={"file": ("talk.vtt", VTT)},
    )
    assert (early.status_code, early.json()["code"]) == (422, "COACH-CCH-005")
    stale = site.client.delete("/v1/sessions/s1", headers=crm | {"If-Match": '"old"'})
    assert stale.status_code == 412
    gone = site.client.delete(
        "/v1/sessions/s1", headers=crm | {"If-Match": written.headers["etag"]}
    )
    assert (gone.status_code, gone.content) == (204, b"")
    assert site.client.delete("/v1/sessions/s1", headers=crm).status_code == 404


def test_a_leaving_coach_is_told_by_another_system(site: Site, crm: dict[str, str]) -> None:
    results(send_batch(site, crm, ndjson(*ROWS)))
    site.client.put("/v1/coaches/c2", headers=crm, json={"name": "Ben", "email": "b@example.org"})
    address, body = "/v1/coaches/c1/leave", {"on": "2026-12-31", "to": "c2"}
    done = site.client.post(address, headers=crm, json=body)
    assert done.status_code == 200, done.text
    assert done.json()["engagements"] == [
        {"ended": "e1", "begun": "e1~2026-12-31", "sessions": 0}
    ]  # fmt: skip
    assert site.client.get("/v1/coaches/c1", headers=crm).json()["left_on"] == "2026-12-31"
    for wrong, status, code in (
        ({"on": "2026-12-31", "to": "c1"}, 409, "COACH-CCH-008"),
        ({"on": "2026-12-31", "to": "none"}, 404, "COACH-CCH-001"),
        ({"on": "soon", "to": "c2"}, 422, "COACH-API-006"),
    ):
        answer = site.client.post(address, headers=crm, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    with site.services.database.read() as session:
        coach = session.scalars(sa.select(Coach.id).where(Coach.external_id == "c1")).one()
    narrow = site.token("crm@example.org", "roster:write", grant=Grant(coaches=frozenset({coach})))
    refused = site.client.post(address, headers=narrow, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-016")
    # the engagement was ended here: the CRM's old row is told to be out of date
    stale = site.client.put(
        "/v1/engagements/e1",
        headers=crm,
        json={"coach": "c1", "client": "k1", "started_on": "2026-09-01", "ended_on": None},
    )
    assert (stale.status_code, stale.json()["fields"]) == (409, ["ended_on"])
