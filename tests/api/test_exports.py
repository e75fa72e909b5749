"""`/v1/exports`: asked for once, followed at a pace, fetched with ranges, narrowed to the grant."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from coachops.api.pacing import Lately, Pace
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.grants import Grant
from coachops.db.models import AuditEvent, Client, Coach, IssuedExport
from coachops.jobs import Jobs
from coachops.jobs.exports import SUITE
from tests.api.conftest import ORIGIN, Site, are_told_alike
from tests.coaching.builders import Pair, make_pair, make_transcript


@pytest.fixture
def robot(site: Site) -> dict[str, str]:
    site.add("robot@example.org", "service")
    return site.token("robot@example.org", "exports:run", "exports:read")


def limited(site: Site, grant: Grant, email: str = "robot@example.org") -> dict[str, str]:
    secret, _ = site.services.identity.create_token(
        SYSTEM, email, "limited", ["exports:run", "exports:read"], grant=grant
    )
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def work(site: Site, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Does what a worker would do with all exports that wait."""
    settings = site.services.settings
    with Jobs(settings, site.services) as jobs:

        def run() -> None:
            waiting = [each for each in jobs.exports.page(SUITE) if each.open]
            jobs.run_inline([jobs.exports.enqueue(each) for each in waiting])

        yield run


def start(site: Site, headers: dict[str, str], **body: Any) -> Any:
    return site.client.post("/v1/exports", headers=headers, json=body)


def test_an_export_is_asked_for_followed_and_fetched(
    site: Site, pair: Pair, robot: dict[str, str], work: Callable[[], None]
) -> None:
    make_transcript(site.services.database, pair)
    asked = start(site, robot, datasets=["clients", "utterances"], formats=["jsonl"])
    assert asked.status_code == 202, asked.text
    location = asked.headers["location"]
    assert asked.json()["url"] == location
    running = site.client.get(location, headers=robot)
    assert running.status_code == 202
    assert int(running.headers["retry-after"]) >= 1
    assert running.json()["state"] == "queued"
    work()
    ready = site.client.get(location, headers=robot)
    assert ready.status_code == 200
    body = ready.json()
    assert body["manifest"]["export_id"] == body["export_id"] == asked.json()["export_id"]
    assert body["progress"]["parts_done"] == body["progress"]["parts"] == 2
    by_path = {each["path"]: each for each in body["files"]}
    assert {"data/clients-0001.jsonl", "data/utterances-0001.jsonl", "manifest.json"} <= set(
        by_path
    )
    for each in body["files"]:
        got = site.client.get(each["url"], headers=robot)
        assert got.status_code == 200
        assert hashlib.sha256(got.content).hexdigest() == each["sha256"]
        assert got.headers["etag"] == f'"{each["sha256"]}"'
        assert got.headers["content-length"] == str(each["bytes"]) == str(len(got.content))
        digest = got.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":")
        assert base64.b64decode(digest).hex() == each["sha256"]
        assert "attachment" in got.headers["content-disposition"]
    (client,) = [
        json.loads(line)
        for line in site.client.get(
            by_path["data/clients-0001.jsonl"]["url"], headers=robot
        ).text.splitlines()
    ]
    assert client["client_id"] == str(pair.client_id)


def test_an_aborted_download_goes_on_where_it_stopped(
    site: Site, pair: Pair, robot: dict[str, str], work: Callable[[], None]
) -> None:
    make_transcript(site.services.database, pair)
    location = start(site, robot, datasets=["utterances"], formats=["csv"]).headers["location"]
    work()
    entry = next(
        each
        for each in site.client.get(location, headers=robot).json()["files"]
        if each.get("dataset") == "utterances"
    )
    url, size = entry["url"], entry["bytes"]
    whole = site.client.get(url, headers=robot).content

    def part(header: str, **more: str) -> Any:
        return site.client.get(url, headers=robot | {"Range": header} | more)

    first = part("bytes=0-99")
    assert first.status_code == 206
    assert first.headers["content-range"] == f"bytes 0-99/{size}"
    rest = part("bytes=100-", **{"If-Range": first.headers["etag"]})
    assert rest.status_code == 206
    assert first.content + rest.content == whole
    tail = part("bytes=-7")
    assert (tail.status_code, tail.content) == (206, whole[-7:])
    assert part(f"bytes=-{size * 2}").content == whole
    assert part(f"bytes=10-{size * 2}").content == whole[10:]
    other = part("bytes=100-", **{"If-Range": '"of another export"'})
    assert (other.status_code, other.content) == (200, whole)
    endless = f"bytes={'9' * 5000}-"
    for ignored in ("bytes=5-2", "lines=1-2", "bytes=0-1,4-5", "bytes=-", endless):
        assert (part(ignored).status_code, part(ignored).content) == (200, whole)
    for outside in (f"bytes={size}-", "bytes=-0"):
        refused = part(outside)
        assert (refused.status_code, refused.json()["code"]) == (416, "COACH-EXP-046")
        assert refused.headers["content-range"] == f"bytes */{size}"
    known = site.client.get(url, headers=robot | {"If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    head = site.client.head(url, headers=robot)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(size)
    assert head.headers["accept-ranges"] == "bytes"


def test_the_same_key_is_the_same_export_also_of_two_kick_offs_at_once(
    site: Site, robot: dict[str, str]
) -> None:
    barrier = threading.Barrier(4)

    def ask(_: int) -> Any:
        barrier.wait()
        return start(site, robot | {"Idempotency-Key": "monday"}, datasets=["coaches"])

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["export_id"] for each in answers}) == 1
    assert [each.headers.get("idempotency-replayed") for each in answers].count(None) == 1
    listed = site.client.get("/v1/exports", headers=robot).json()["exports"]
    assert [each["export_id"] for each in listed] == [answers[0].json()["export_id"]]
    other = start(site, robot | {"Idempotency-Key": "monday"}, datasets=["clients"])
    assert (other.status_code, other.json()["code"]) == (409, "COACH-EXP-042")


def test_the_key_of_a_failed_export_starts_it_again(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    keyed = robot | {"Idempotency-Key": "monday"}
    first = start(site, keyed, datasets=["coaches"])
    obstacle = site.services.settings.home / "exports"
    obstacle.write_text("a file in the way")
    work()
    failed = site.client.get(first.headers["location"], headers=robot)
    assert (failed.status_code, failed.json()["code"]) == (409, "COACH-EXP-051")
    assert "the same Idempotency-Key" in failed.json()["next_step"]
    obstacle.unlink()
    with clock.frozen(clock.now() + dt.timedelta(days=9)):  # its time was over, too
        again = start(site, keyed, datasets=["coaches"])
        assert (again.status_code, again.json()["state"]) == (202, "queued")
        assert again.json()["export_id"] == first.json()["export_id"]
        assert again.json()["error_code"] is None
        assert again.headers["idempotency-replayed"] == "true"
        work()
        ready = start(site, keyed, datasets=["coaches"])
        assert (ready.status_code, ready.json()["state"]) == (202, "ready")
        assert site.client.get(first.headers["location"], headers=robot).status_code == 200


@pytest.mark.parametrize("end", ["cancelled", "deleted", "expired"])
def test_the_key_of_an_export_that_is_gone_is_used_up_and_says_so(
    site: Site, robot: dict[str, str], work: Callable[[], None], end: str
) -> None:
    keyed = robot | {"Idempotency-Key": "monday"}
    first = start(site, keyed, datasets=["coaches"])
    if end != "cancelled":
        work()
    if end != "expired":
        assert site.client.delete(first.headers["location"], headers=robot).status_code == 204
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        gone = start(site, keyed, datasets=["coaches"])
        assert (gone.status_code, gone.json()["code"]) == (410, "COACH-EXP-044")
        assert "a new Idempotency-Key" in gone.json()["next_step"]
        assert first.json()["export_id"] in gone.json()["detail"]
        new = start(site, robot | {"Idempotency-Key": "tuesday"}, datasets=["coaches"])
        assert (new.status_code, new.json()["state"]) == (202, "queued")
        assert new.json()["export_id"] != first.json()["export_id"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"datasets": ["secrets"]}, 400, "COACH-EXP-001"),
        ({"formats": ["odt"]}, 400, "COACH-EXP-002"),
        ({"formats": []}, 422, "COACH-API-006"),
        ({"csv_profile": "odd"}, 400, "COACH-EXP-008"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, 400, "COACH-EXP-007"),
        ({"clients": ["nobody@example.org"]}, 404, "COACH-CCH-001"),
        ({"fields": ["name"]}, 422, "COACH-API-006"),
        ({"compression": "rar"}, 422, "COACH-API-006"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    site: Site, robot: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    refused = start(site, robot, **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.json()["next_step"]
    assert site.client.get("/v1/exports", headers=robot).json()["exports"] == []


def test_a_token_reaches_no_further_than_its_grant(
    site: Site, pair: Pair, robot: dict[str, str], work: Callable[[], None]
) -> None:
    other = make_pair(site.services.database)
    make_transcript(site.services.database, pair)
    make_transcript(site.services.database, other)
    grant = Grant(frozenset({"coaches", "clients"}), frozenset({pair.coach_id}))
    token = limited(site, grant)
    for body, what in (
        ({"datasets": ["utterances"]}, "utterances"),
        ({"coaches": [str(other.coach_id)]}, str(other.coach_id)),
    ):
        refused = start(site, token, **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "COACH-EXP-043")
        assert what in refused.json()["detail"]
    asked = start(site, token, formats=["jsonl"])
    assert asked.json()["datasets"] == ["coaches", "clients"]
    assert asked.json()["request"]["coaches"] == [str(pair.coach_id)]
    work()
    ready = site.client.get(asked.headers["location"], headers=token).json()
    found = {
        each["dataset"]: site.client.get(each["url"], headers=token).text
        for each in ready["files"]
        if each.get("dataset")
    }
    assert str(pair.client_id) in found["clients"]
    assert str(other.client_id) not in found["clients"]
    assert str(other.coach_id) not in found["coaches"]


@pytest.mark.parametrize("limits", ["coach", "coaches", "clients"])
def test_somebody_of_others_is_answered_as_somebody_who_does_not_exist(
    site: Site, pair: Pair, robot: dict[str, str], limits: str
) -> None:
    other = make_pair(site.services.database)
    if limits == "coach":
        caller = site.token(site.email_of(pair), "exports:run")
    elif limits == "coaches":
        caller = limited(site, Grant(coaches=frozenset({pair.coach_id})))
    else:
        caller = limited(site, Grant(clients=frozenset({pair.client_id})))
    with site.services.database.read() as session:
        people: dict[str, Coach | Client] = {
            "coach": session.get_one(Coach, other.coach_id),
            "client": session.get_one(Client, other.client_id),
        }
        foreign = {
            what: [str(row.id), row.external_id, str(row.email)] for what, row in people.items()
        }
    for what, refs in foreign.items():
        nobody = (str(ids.new_id()), "nobody-1", "nobody@example.org")
        for ref, missing in zip(refs, nobody, strict=True):
            theirs, none = (
                start(site, caller, **{"coaches" if what == "coach" else "clients": [sent]})
                for sent in (ref, missing)
            )
            are_told_alike(theirs, none, ref, missing)
            assert ref == refs[0] or refs[0] not in theirs.text, "an address leads to no id"
    for body in ({"coaches": [str(pair.coach_id)]}, {"clients": [str(pair.client_id)]}):
        assert start(site, caller, datasets=["sessions"], **body).status_code == 202


def test_pseudonyms_are_forced_where_the_grant_says_so(site: Site, robot: dict[str, str]) -> None:
    token = limited(site, Grant(privacy="pseudonymous"))
    assert start(site, token, datasets=["sessions"]).json()["privacy"] == "pseudonymous"
    refused = start(site, token, privacy="full")
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-EXP-043")


def test_who_may_see_pseudonyms_only_cannot_ask_for_somebody_by_name(
    site: Site, pair: Pair, robot: dict[str, str]
) -> None:
    """The export of one address would tell whose pseudonym is in it, in all other exports, too."""
    token = limited(site, Grant(privacy="pseudonymous"))
    with site.services.database.read() as session:
        client = session.get_one(Client, pair.client_id)
        names = [client.external_id, str(client.id), "nobody@example.org"]
    for body in ({"clients": [name]} for name in names):
        refused = start(site, token, datasets=["sessions"], **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "COACH-EXP-043")
    refused = start(site, token, datasets=["sessions"], coaches=[str(pair.coach_id)])
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-EXP-043")
    own = limited(site, Grant(coaches=frozenset({pair.coach_id}), privacy="pseudonymous"))
    assert start(site, own, datasets=["sessions"]).status_code == 202


def test_nobody_reads_an_export_of_somebody_else_except_an_admin(
    site: Site, pair: Pair, robot: dict[str, str], work: Callable[[], None]
) -> None:
    asked = start(site, robot, datasets=["coaches"])
    location = asked.headers["location"]
    work()
    second = site.token("robot@example.org", "exports:run", "exports:read")
    file = f"{location}/files/manifest.json"
    for path in (location, file):
        hidden = site.client.get(path, headers=second)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "COACH-EXP-040")
    assert site.client.delete(location, headers=second).status_code == 404
    assert site.client.get("/v1/exports", headers=second).json()["exports"] == []
    writer = site.token("robot@example.org", "exports:run")
    assert site.client.get(location, headers=writer).json()["code"] == "COACH-IDN-015"
    site.sign_in(site.email_of(pair))
    assert site.client.get(location).status_code == 404
    site.client.cookies.clear()
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    assert site.client.get(location).status_code == 200
    assert site.client.get(file).status_code == 200
    (listed,) = site.client.get("/v1/exports").json()["exports"]
    assert listed["requested_by"] == "Robot"


def test_a_coach_exports_the_own_clients_only(
    site: Site, pair: Pair, work: Callable[[], None]
) -> None:
    other = make_pair(site.services.database)
    site.sign_in(site.email_of(pair))
    own = {"Origin": ORIGIN}
    refused = start(site, own, coaches=[str(other.coach_id)])
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-EXP-043")
    hidden = start(site, own, clients=[str(other.client_id)])
    assert (hidden.status_code, hidden.json()["code"]) == (404, "COACH-CCH-001")
    asked = start(site, own, datasets=["clients", "audit_events"], formats=["jsonl"])
    assert asked.status_code == 202
    work()
    ready = site.client.get(asked.headers["location"]).json()
    rows = {each["dataset"]: each for each in ready["files"] if each.get("dataset")}
    assert rows["audit_events"]["rows"] == 0
    text = site.client.get(rows["clients"]["url"]).text
    assert str(pair.client_id) in text
    assert str(other.client_id) not in text


def test_the_list_comes_in_pages(site: Site, robot: dict[str, str]) -> None:
    made = [start(site, robot, datasets=["coaches"]).json()["export_id"] for _ in range(5)]
    seen, url = [], "/v1/exports?limit=2"
    while url:
        page = site.client.get(url, headers=robot)
        seen += [each["export_id"] for each in page.json()["exports"]]
        url = page.json()["next"]
        assert (url is None) == ("link" not in page.headers)
        if url:
            assert page.headers["link"] == f'<{url}>; rel="next"'
    assert seen == made[::-1]


def test_somebody_has_so_many_open_exports_and_no_more(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    most = site.services.settings.export_open
    barrier = threading.Barrier(most + 3)

    def ask(number: int) -> Any:
        barrier.wait()
        return start(site, robot | {"Idempotency-Key": f"{number}"}, datasets=["coaches"])

    with ThreadPoolExecutor(most + 3) as threads:
        answers = list(threads.map(ask, range(most + 3)))
    codes = sorted(each.status_code for each in answers)
    assert codes == [202] * most + [429] * 3
    refused = next(each for each in answers if each.status_code == 429)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("COACH-EXP-053", "30")
    assert len(site.client.get("/v1/exports", headers=robot).json()["exports"]) == most
    known = next(n for n, each in enumerate(answers) if each.status_code == 202)
    same = start(site, robot | {"Idempotency-Key": f"{known}"}, datasets=["coaches"])
    assert same.status_code == 202, "what is there already is no further one"
    other = site.token("robot@example.org", "exports:run")
    assert start(site, other, datasets=["coaches"]).status_code == 202
    cancelled = answers[known].headers["location"]
    assert site.client.delete(cancelled, headers=robot).status_code == 204
    assert start(site, robot, datasets=["coaches"]).status_code == 202
    assert start(site, robot, datasets=["coaches"]).status_code == 429
    work()
    assert start(site, robot, datasets=["coaches"]).status_code == 202


def test_a_failed_export_is_started_again_only_where_there_is_room(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    keyed = robot | {"Idempotency-Key": "monday"}
    start(site, keyed, datasets=["coaches"])
    obstacle = site.services.settings.home / "exports"
    obstacle.write_text("a file in the way")
    work()
    obstacle.unlink()
    for _ in range(site.services.settings.export_open):
        assert start(site, robot, datasets=["coaches"]).status_code == 202
    assert start(site, keyed, datasets=["coaches"]).json()["code"] == "COACH-EXP-053"
    work()
    assert start(site, keyed, datasets=["coaches"]).json()["state"] == "queued"


def test_polling_without_waiting_is_slowed_down(
    site: Site, robot: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    location = start(site, robot).headers["location"]
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    codes = [site.client.get(location, headers=robot).status_code for _ in range(7)]
    assert codes == [202] * 5 + [429] * 2
    slow = site.client.get(location, headers=robot)
    assert (slow.json()["code"], slow.headers["retry-after"]) == ("COACH-EXP-047", "1")
    now[0] += 1.5
    assert site.client.get(location, headers=robot).status_code == 202


def test_a_cancelled_export_is_gone_and_a_ready_one_loses_its_files(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    waiting = start(site, robot, datasets=["coaches"]).headers["location"]
    assert site.client.delete(waiting, headers=robot).status_code == 204
    gone = site.client.get(waiting, headers=robot)
    assert (gone.status_code, gone.json()["code"]) == (410, "COACH-EXP-044")
    ready = start(site, robot, datasets=["coaches"]).headers["location"]
    work()
    folder = Path(site.services.settings.home) / "exports"
    assert len([path for path in folder.iterdir() if path.is_dir()]) >= 1
    assert site.client.get(f"{ready}/files/manifest.json", headers=robot).status_code == 200
    assert site.client.delete(ready, headers=robot).status_code == 204
    assert [path for path in folder.iterdir() if not path.name.startswith(".")] == []
    for path in (ready, f"{ready}/files/manifest.json"):
        assert site.client.get(path, headers=robot).status_code == 410
    assert site.client.delete(ready, headers=robot).status_code == 410


def test_files_are_given_out_until_the_export_expires(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    location = start(site, robot, datasets=["coaches"]).headers["location"]
    work()
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        gone = site.client.get(f"{location}/files/manifest.json", headers=robot)
        assert (gone.status_code, gone.json()["code"]) == (410, "COACH-EXP-044")
        assert site.client.get(location, headers=robot).status_code == 410
    assert site.client.get(location, headers=robot).status_code == 200


def test_names_of_files_lead_nowhere_else(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    location = start(site, robot, datasets=["coaches"]).headers["location"]
    early = site.client.get(f"{location}/files/manifest.json", headers=robot)
    assert (early.status_code, early.json()["code"]) == (409, "COACH-EXP-041")
    work()
    for name in (
        "../../coachops.db",
        "%2e%2e/%2e%2e/secrets/cookie",
        "data",
        "nothing.csv",
        "/etc/passwd",
    ):
        refused = site.client.get(f"{location}/files/{name}", headers=robot)
        assert refused.status_code in {404, 422}, name
    unknown = site.client.get(f"{location}/files/nothing.csv", headers=robot)
    assert unknown.json()["code"] == "COACH-EXP-045"
    assert site.client.get(f"/v1/exports/{ids.new_id()}", headers=robot).status_code == 404


def test_a_failed_export_says_why(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    location = start(site, robot, datasets=["coaches"]).headers["location"]
    (site.services.settings.home / "exports").write_text("a file in the way")
    work()
    failed = site.client.get(location, headers=robot)
    assert (failed.status_code, failed.json()["code"]) == (409, "COACH-EXP-051")
    assert "COACH-EXP-006" in failed.json()["detail"]
    (listed,) = site.client.get("/v1/exports", headers=robot).json()["exports"]
    assert listed["error_code"] == "COACH-EXP-006"


def test_who_asked_and_who_fetched_is_in_the_audit_record_without_words(
    site: Site, robot: dict[str, str], work: Callable[[], None]
) -> None:
    asked = start(site, robot, datasets=["coaches"])
    work()
    file = f"{asked.headers['location']}/files/data/coaches-0001.csv"
    for _ in range(3):
        site.client.get(file, headers=robot | {"Range": "bytes=0-3"})
    with site.services.database.read() as session:
        events = [
            (event.action, event.details)
            for event in session.scalars(
                select(AuditEvent)
                .where(AuditEvent.subject_id == asked.json()["export_id"])
                .order_by(AuditEvent.id)
            )
        ]
        user = session.scalar(sa.select(IssuedExport.requested_by))
        actors = set(
            session.scalars(select(AuditEvent.actor_id).where(AuditEvent.subject_type == "export"))
        )
    assert [action for action, _ in events] == [
        "export.requested", "export.made", "export.downloaded",
    ]  # fmt: skip
    assert events[-1][1] == {"file": "data/coaches-0001.csv"}
    assert actors == {user}


def test_the_pace_gives_a_burst_then_one_each_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    pace = Pace(burst=2, seconds=2.0)
    assert [pace.wait_for("a") for _ in range(3)] == [0.0, 0.0, 2.0]
    assert pace.wait_for("b") == 0.0
    now[0] += 1.0
    assert pace.wait_for("a") == 1.0
    now[0] += 100.0
    assert [pace.wait_for("a") for _ in range(3)] == [0.0, 0.0, 2.0]
    lately = Lately(10.0)
    assert not lately.known("x")
    lately.noted("x")
    assert lately.known("x")
    now[0] += 11
    assert not lately.known("x")
