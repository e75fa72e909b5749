"""`/v1`: tokens and scopes, upload with no silent loss, and nobody reads what is not theirs."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from coachops.core import ids
from coachops.core.errors import CATALOGUE, CoachError
from coachops.core.grants import Grant
from coachops.db.models import Engagement
from tests.api.conftest import ORIGIN, Site
from tests.coaching.builders import Pair, make_pair

VTT = b"""WEBVTT

00:00:01.000 --> 00:00:04.000
<v Ada Reyes>What would you like to look at?

00:00:05.000 --> 00:00:09.000
<v Maya Okafor>I will write the list by Friday.

00:00:11.000 --> 00:00:10.000
<v Maya Okafor>This cue ends before it starts.
"""


@pytest.fixture
def robot(site: Site) -> dict[str, str]:
    site.add("robot@example.org", "service")
    return site.token("robot@example.org", "transcripts:write", "transcripts:read")


def _upload(site: Site, headers: dict[str, str], data: bytes = VTT, **form: str) -> object:
    return site.client.post(
        "/v1/transcripts", headers=headers, data=form, files={"file": ("talk.vtt", data)}
    )


def _refs(pair: Pair) -> dict[str, str]:
    return {"coach": str(pair.coach_id), "client": str(pair.client_id)}


def test_who_calls_is_told(site: Site, robot: dict[str, str]) -> None:
    me = site.client.get("/v1/me", headers=robot).json()
    assert (me["name"], me["role"]) == ("Robot", "service")
    assert me["scopes"] == ["transcripts:read", "transcripts:write"]
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    assert site.client.get("/v1/me").json()["scopes"] is None
    wrong = site.client.get("/v1/me", headers={"Authorization": "Bearer coa_wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "COACH-IDN-012")
    assert wrong.headers["www-authenticate"] == "Bearer"


def test_an_upload_is_imported_reported_line_by_line_and_queued(
    site: Site, pair: Pair, robot: dict[str, str]
) -> None:
    response = _upload(site, robot, held_on="2026-03-02", **_refs(pair))
    assert response.status_code == 201  # type: ignore[attr-defined]
    body = response.json()  # type: ignore[attr-defined]
    assert (body["cues"], body["duplicate"], body["queued"]) == (2, False, True)
    assert [each["line"] for each in body["unparsed"]]
    assert [str(each) for each in site.queue.taken] == [body["transcript_id"]]
    location = response.headers["location"]  # type: ignore[attr-defined]
    state = site.client.get(location, headers=robot).json()
    assert (state["state"], state["held_on"], state["cues"]) == ("imported", "2026-03-02", 2)
    assert state["client_id"] == str(pair.client_id)
    assert state["analysis"] is None
    again = _upload(site, robot, held_on="2026-03-02", **_refs(pair))
    assert again.status_code == 200  # type: ignore[attr-defined]
    assert again.json()["duplicate"] is True  # type: ignore[attr-defined]
    assert again.json()["transcript_id"] == body["transcript_id"]  # type: ignore[attr-defined]


def test_a_queue_that_is_away_loses_no_upload(
    site: Site, pair: Pair, robot: dict[str, str]
) -> None:
    away = next(code for code, spec in CATALOGUE.items() if spec.kind.value == "unavailable")
    site.queue.error = CoachError(away, reason="x", host="x", port=1)
    response = _upload(site, robot, **_refs(pair))
    assert response.status_code == 201  # type: ignore[attr-defined]
    assert response.json()["queued"] is False  # type: ignore[attr-defined]
    site.queue.error = None
    assert _upload(site, robot, **_refs(pair)).json()["queued"] is True  # type: ignore[attr-defined]


def test_scopes_and_ownership_hold(site: Site, pair: Pair, robot: dict[str, str]) -> None:
    uploaded = _upload(site, robot, **_refs(pair)).json()  # type: ignore[attr-defined]
    address = f"/v1/transcripts/{uploaded['transcript_id']}"
    reads = site.token("robot@example.org", "transcripts:read")
    writes = site.token("robot@example.org", "transcripts:write")
    assert _upload(site, reads, **_refs(pair)).status_code == 403  # type: ignore[attr-defined]
    assert site.client.get(address, headers=writes).status_code == 403
    other = make_pair(site.services.database)
    token = site.token(site.email_of(other), "transcripts:read", "transcripts:write")
    assert site.client.get(address, headers=token).status_code == 404
    foreign = _upload(site, token, client=str(pair.client_id))
    assert (foreign.status_code, foreign.json()["code"]) == (404, "COACH-CCH-001")  # type: ignore[attr-defined]
    assert _upload(site, token, client=str(other.client_id)).status_code == 201  # type: ignore[attr-defined]
    unknown = site.client.get(f"/v1/transcripts/{ids.new_id()}", headers=robot)
    assert unknown.status_code == 404


def test_a_token_sees_and_takes_only_what_its_limits_cover(site: Site, pair: Pair) -> None:
    site.add("robot@example.org", "service")
    other = make_pair(site.services.database, coach_of=pair)
    scopes = ("transcripts:read", "transcripts:write", "exports:run")

    def limited(**limits: object) -> dict[str, str]:
        return site.token("robot@example.org", *scopes, grant=Grant(**limits))  # type: ignore[arg-type]

    everything = site.token("robot@example.org", *scopes)
    address = _upload(site, everything, **_refs(pair)).headers["location"]  # type: ignore[attr-defined]
    mine = limited(coaches=frozenset({pair.coach_id}), clients=frozenset({pair.client_id}))
    assert site.client.get(address, headers=mine).status_code == 200
    assert _upload(site, mine, VTT + b"\n", **_refs(pair)).status_code == 201  # type: ignore[attr-defined]
    elsewhere = limited(clients=frozenset({other.client_id}))
    answers = [
        site.client.get(path, headers=elsewhere).json()
        for path in (address, f"/v1/transcripts/{ids.new_id()}")
    ]
    assert [each["code"] for each in answers] == ["COACH-CCH-001", "COACH-CCH-001"]
    assert _upload(site, elsewhere, **_refs(pair)).json()["code"] == "COACH-CCH-001"  # type: ignore[attr-defined]
    stranger = limited(coaches=frozenset({make_pair(site.services.database).coach_id}))
    assert _upload(site, stranger, **_refs(pair)).json()["code"] == "COACH-CCH-001"  # type: ignore[attr-defined]
    for narrow in (
        limited(privacy="pseudonymous"),
        limited(datasets=frozenset({"transcripts", "sessions"})),
    ):
        refused = site.client.get(address, headers=narrow)
        assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-016")
    hidden = _upload(site, limited(privacy="pseudonymous"), **_refs(pair))
    assert hidden.json()["code"] == "COACH-IDN-016"  # type: ignore[attr-defined]


def test_a_file_that_another_coach_imported_is_not_shown_to_a_limited_token(
    site: Site, pair: Pair
) -> None:
    site.add("robot@example.org", "service")
    other = make_pair(site.services.database)
    with site.services.database.write() as session:
        session.add(
            Engagement(
                external_id="second", coach_id=other.coach_id, client_id=pair.client_id,
                started_on=dt.date(2026, 1, 1),
            )
        )  # fmt: skip
    everything = site.token("robot@example.org", "transcripts:write")
    assert _upload(site, everything, **_refs(pair)).status_code == 201  # type: ignore[attr-defined]
    limited = site.token(
        "robot@example.org", "transcripts:write", grant=Grant(coaches=frozenset({other.coach_id}))
    )
    refused = _upload(site, limited, client=str(pair.client_id), coach=str(other.coach_id))
    assert (refused.status_code, refused.json()["code"]) == (422, "COACH-CCH-005")  # type: ignore[attr-defined]


def test_a_browser_uploads_with_its_session_from_our_pages_only(site: Site, pair: Pair) -> None:
    site.sign_in(site.email_of(pair))
    form = {"client": str(pair.client_id)}
    assert _upload(site, {}, **form).status_code == 403  # type: ignore[attr-defined]
    assert _upload(site, {"Origin": ORIGIN}, **form).status_code == 201  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "COACH-TRN-002"), (b"WEBVTT\n\n\x00\x00\x00", "COACH-TRN-006"), (b"\x89PNG\r\n", None)],
)
def test_bad_files_are_refused_with_their_code(
    site: Site, pair: Pair, robot: dict[str, str], data: bytes, code: str | None
) -> None:
    response = _upload(site, robot, data, **_refs(pair))
    body = response.json()  # type: ignore[attr-defined]
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert body["code"] == code or (code is None and body["code"].startswith("COACH-TRN-"))
    assert site.queue.taken == []


def test_missing_and_odd_fields_are_named(site: Site, pair: Pair, robot: dict[str, str]) -> None:
    for form, field in (
        ({}, "client"),
        (_refs(pair) | {"held_on": "soon"}, "held_on"),
        ({"client": str(pair.client_id)}, "coach"),
    ):
        response = _upload(site, robot, **form)
        assert response.status_code == 422  # type: ignore[attr-defined]
        assert response.json()["code"] == "COACH-API-006"  # type: ignore[attr-defined]
        assert response.json()["detail"].startswith(field)  # type: ignore[attr-defined]
    odd = site.client.get("/v1/transcripts/not-an-id", headers=robot)
    assert (odd.status_code, odd.json()["code"]) == (422, "COACH-API-006")
    broken = robot | {"Content-Type": "multipart/form-data; boundary=x"}
    response = site.client.post("/v1/transcripts", headers=broken, content=b"--x\r\nbroken")
    assert (response.status_code, response.json()["code"]) == (422, "COACH-API-006")


def test_a_file_beyond_the_limit_is_refused_unread(
    site: Site, pair: Pair, robot: dict[str, str]
) -> None:
    response = _upload(site, robot, b"x" * (12 << 20), **_refs(pair))
    assert (response.status_code, response.json()["code"]) == (413, "COACH-API-005")  # type: ignore[attr-defined]


def test_the_openapi_document_is_open_and_describes_what_is_there(site: Site) -> None:
    document = site.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = set(document["paths"])
    assert {"/healthz", "/readyz", "/metrics", "/v1/me", "/v1/transcripts"} <= paths
    assert not [path for path in paths if path.startswith(("/app", "/login", "/link"))]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation.get("description") or operation.get("summary"), path
    assert "application/problem+json" in json.dumps(document)
