"""`/v1/changes` and `/v1/digest`: who sees what, pages, waiting, and the way back after each refusal."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.api.access import Calling, caller_of
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.grants import Grant
from coachops.db import Database, change_feed
from coachops.db.models import AuditEvent, Client, Coach, CoachingSession, FeedMeta, Utterance
from coachops.export.feed import digests as digests_of_feed
from coachops.export.feed.rows import canonical_rows
from tests.api.conftest import Site, are_told_alike
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.feed.replica import digests
from tests.support.patience import PATIENCE


@pytest.fixture
def site(make_site: Callable[..., Site], database: Database) -> Site:
    """The site on SQLite and on PostgreSQL, with two coaches."""
    return make_site(database=database)


@pytest.fixture
def pairs(site: Site) -> tuple[Pair, Pair]:
    found = make_pair(site.services.database), make_pair(site.services.database)
    for each in found:
        make_transcript(site.services.database, each)
    return found


@pytest.fixture
def admin(site: Site, pairs: tuple[Pair, Pair]) -> dict[str, str]:
    site.add("root@example.org", "admin")
    return site.token("root@example.org", "changes:read")


def get(site: Site, headers: dict[str, str], path: str = "changes", **params: Any) -> Any:
    return site.client.get(f"/v1/{path}", params=params, headers=headers)


def follow(site: Site, headers: dict[str, str], **params: Any) -> tuple[dict[str, Any], str]:
    """Rows by their key's value, and the last cursor; pages as RFC 8288 links them."""
    answer = get(site, headers, **params)
    rows: dict[str, Any] = {}
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        for change in body["changes"]:
            rows[next(iter(change.values()))] = change
        if not body["has_more"]:
            assert "link" not in answer.headers
            return rows, body["cursor"]
        answer = site.client.get(answer.links["next"]["url"], headers=headers)


@pytest.fixture
def still() -> Iterator[None]:
    """A clock that stands still: a cursor tells the second in which it was given."""
    with clock.frozen(clock.now()):
        yield


@pytest.mark.usefixtures("still")
def test_a_page_comes_as_lines_to_who_asks_for_them(site: Site, admin: dict[str, str]) -> None:
    first = get(site, admin, dataset="utterances", limit=5).json()["cursor"]
    params = {"dataset": "utterances", "limit": 5, "cursor": first}
    whole = get(site, admin, **params)
    lines = get(site, admin | {"Accept": "application/x-ndjson"}, **params)
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in lines.text.splitlines()] == whole.json()["changes"]
    assert lines.text.endswith("\n")
    for member in ("cursor", "schema", "from", "to", "head", "floor"):
        assert lines.headers[f"coachops-{member}"] == str(whole.json()[member])
    assert lines.links["next"]["url"] == whole.links["next"]["url"]
    assert lines.headers["etag"] != whole.headers["etag"]
    known = admin | {"Accept": "application/x-ndjson", "If-None-Match": lines.headers["etag"]}
    assert get(site, known, **params).status_code == 304
    other = admin | {"If-None-Match": lines.headers["etag"]}
    assert get(site, other, **params).status_code == 200  # the tag is of the other form
    _, cursor = follow(site, admin, **params)
    end = get(site, admin | {"Accept": "application/x-ndjson"}, **(params | {"cursor": cursor}))
    assert (end.status_code, end.content) == (200, b"")


def test_pages_hold_rows_their_places_and_the_way_on(site: Site, admin: dict[str, str]) -> None:
    body = get(site, admin, dataset="utterances", limit=5).json()
    assert [
        set(change) >= {"utterance_id", "text", "_version", "_deleted"}
        for change in body["changes"]
    ] == [True] * 5
    assert (body["from"], body["has_more"], body["floor"], body["retention_days"]) == (
        0,
        True,
        0,
        400,
    )
    assert body["to"] == body["changes"][-1]["_version"] <= body["head"]
    assert body["schema"].endswith("/utterances/1.0.0")
    rows, cursor = follow(site, admin, dataset="utterances", limit=5)
    assert len(rows) == 12
    nothing = get(site, admin, dataset="utterances", cursor=cursor).json()
    assert (nothing["changes"], nothing["has_more"]) == ([], False)
    assert nothing["from"] == nothing["to"] == nothing["head"]


def test_who_begins_is_on_record(site: Site, admin: dict[str, str]) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    get(site, admin, dataset="sessions", cursor=cursor)
    with site.services.database.read() as session:
        found = session.execute(
            sa.select(AuditEvent.subject_id).where(AuditEvent.action == "feed.begun")
        ).all()
    assert [row.subject_id for row in found] == ["sessions"]


def test_who_waits_for_the_first_row_is_on_record_once(
    site: Site, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.api.changes.LOOK_EVERY", 0.05)
    assert get(site, admin, dataset="goals", wait=1).json()["changes"] == []
    with site.services.database.read() as session:
        found = session.scalars(
            sa.select(AuditEvent.subject_id).where(AuditEvent.action == "feed.begun")
        ).all()
    assert found == ["goals"]


def test_an_unchanged_page_is_not_sent_again(site: Site, admin: dict[str, str]) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    first = get(site, admin, dataset="sessions", cursor=cursor)
    again = get(
        site, {**admin, "If-None-Match": first.headers["etag"]}, dataset="sessions", cursor=cursor
    )
    assert (again.status_code, again.content) == (304, b"")
    with site.services.database.connect(write=True) as connection:
        connection.execute(sa.update(CoachingSession).values(title="Other"))
    changed = get(
        site, {**admin, "If-None-Match": first.headers["etag"]}, dataset="sessions", cursor=cursor
    )
    assert changed.status_code == 200
    assert {change["title"] for change in changed.json()["changes"]} == {"Other"}


def test_a_request_waits_for_a_change(site: Site, admin: dict[str, str]) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    asked = threading.Event()
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        asked.set()
        began = time.monotonic()
        while not answers or not answers[-1]["changes"]:
            answers.append(get(site, admin, dataset="sessions", cursor=cursor, wait=30).json())
            if not answers[-1]["changes"]:  # the machine stood still: only then is it empty
                assert time.monotonic() - began >= 30 * len(answers)

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait()
    with site.services.database.connect(write=True) as connection:
        connection.execute(sa.update(CoachingSession).values(title="At last"))
    thread.join(timeout=PATIENCE)
    assert {change["title"] for change in answers[-1]["changes"]} == {"At last"}


def test_a_coach_follows_only_what_is_theirs(site: Site, pairs: tuple[Pair, Pair]) -> None:
    mine, other = pairs
    headers = site.token(site.email_of(mine), "changes:read")
    for dataset, count in (
        ("utterances", 6),
        ("sessions", 1),
        ("clients", 1),
        ("consents", 1),
        ("coaches", 1),
        ("audit_events", 0),
    ):
        rows, _ = follow(site, headers, dataset=dataset)
        assert len(rows) == count, dataset
        assert not any(str(other.client_id) in str(row) for row in rows.values())
    for params in (
        {"coach": str(other.coach_id)},
        {"coach": [str(mine.coach_id), str(other.coach_id)]},
    ):
        refused = get(site, headers, dataset="sessions", **params)
        assert (refused.status_code, refused.json()["code"]) == (403, "COACH-FED-006")
    digest = get(site, headers, "digest", dataset="utterances").json()
    assert digest["rows"] == 6


def test_a_session_that_moves_leaves_one_coach_and_reaches_the_other(
    site: Site, pairs: tuple[Pair, Pair], admin: dict[str, str]
) -> None:
    mine, other = (site.token(site.email_of(each), "changes:read") for each in pairs)
    had, cursor = follow(site, mine, dataset="utterances")
    _, theirs = follow(site, other, dataset="utterances")
    with site.services.database.connect(write=True) as connection:
        connection.execute(
            sa.update(CoachingSession)
            .where(CoachingSession.coach_id == pairs[0].coach_id)
            .values(coach_id=pairs[1].coach_id)
        )
    gone, _ = follow(site, mine, dataset="utterances", cursor=cursor)
    assert gone.keys() == had.keys()
    for key, change in gone.items():
        version = change.pop("_version")
        assert version > had[key]["_version"]
        assert change == {"utterance_id": key, "_deleted": True, "_reason": "scope"}
    come, _ = follow(site, other, dataset="utterances", cursor=theirs)
    assert come.keys() == had.keys()
    assert {change["_deleted"] for change in come.values()} == {False}
    rows, _ = follow(site, admin, dataset="utterances", coach=str(pairs[0].coach_id))
    assert [row for row in rows.values() if not row["_deleted"]] == []


@pytest.mark.parametrize(
    ("grant", "dataset", "status"),
    [
        (Grant(datasets=frozenset({"sessions"})), "sessions", 200),
        (Grant(datasets=frozenset({"sessions"})), "utterances", 403),
        (Grant(privacy="pseudonymous"), "sessions", 403),
        (Grant(coaches=frozenset()), "sessions", 200),
    ],
)
def test_a_grant_limits_the_feed(
    site: Site, admin: dict[str, str], grant: Grant, dataset: str, status: int
) -> None:
    limited(site, grant)
    for path in ("changes", "digest"):
        answer = get(site, admin, path, dataset=dataset)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["code"] == "COACH-FED-006"
        elif grant.coaches is not None:
            assert answer.json().get("changes", []) == []
            assert answer.json().get("rows", 0) == 0


REFS = ("id", "external_id", "email")


def refs_of(site: Site, table: type[Client] | type[Coach], key: uuid.UUID) -> list[str]:
    with site.services.database.read() as session:
        row = session.get_one(table, key)
        return [str(getattr(row, name)) for name in REFS]


@pytest.mark.parametrize("limits", ["coach", "coaches", "clients"])
@pytest.mark.parametrize("path", ["changes", "digest"])
def test_somebody_of_others_is_answered_as_somebody_who_does_not_exist(
    site: Site, pairs: tuple[Pair, Pair], admin: dict[str, str], limits: str, path: str
) -> None:
    mine, other = pairs
    caller = admin
    if limits == "coach":
        caller = site.token(site.email_of(mine), "changes:read")
    elif limits == "coaches":
        limited(site, Grant(coaches=frozenset({mine.coach_id})))
    else:
        limited(site, Grant(clients=frozenset({mine.client_id})))
    foreign = {
        "coach": refs_of(site, Coach, other.coach_id),
        "client": refs_of(site, Client, other.client_id),
    }
    for what, refs in foreign.items():
        nobody = (str(uuid.UUID(int=7)), "nobody-1", "nobody@example.org")
        for ref, missing in zip(refs, nobody, strict=True):
            theirs, none = (
                get(site, caller, path, dataset="sessions", **{what: sent})
                for sent in (ref, missing)
            )
            are_told_alike(theirs, none, ref, missing)
            assert ref == refs[0] or refs[0] not in theirs.text, "an address leads to no id"
        (ref, *_) = refs_of(site, Coach if what == "coach" else Client, getattr(mine, f"{what}_id"))
        assert get(site, caller, path, dataset="sessions", **{what: ref}).status_code == 200


def test_an_address_that_clients_of_others_share_still_names_the_own_one(
    site: Site, pairs: tuple[Pair, Pair]
) -> None:
    mine, other = pairs
    with site.services.database.write() as session:
        session.execute(
            sa.update(Client)
            .where(Client.id.in_([mine.client_id, other.client_id]))
            .values(email="home@example.org")
        )
    headers = site.token(site.email_of(mine), "changes:read")
    rows, _ = follow(site, headers, dataset="sessions", client="home@example.org")
    assert [row["client_id"] for row in rows.values()] == [str(mine.client_id)]


def limited(site: Site, grant: Grant) -> None:
    site.client.app.dependency_overrides[caller_of] = lambda: Calling(  # type: ignore[attr-defined]  # FastAPI's
        SYSTEM, frozenset({"changes:read"}), grant
    )


def test_a_grant_of_coaches_and_clients_is_a_filter_and_bounds_others(
    site: Site, pairs: tuple[Pair, Pair], admin: dict[str, str]
) -> None:
    whole, cursor = follow(site, admin, dataset="utterances")
    limited(
        site, Grant(coaches=frozenset({pairs[0].coach_id}), clients=frozenset({pairs[0].client_id}))
    )
    rows, _ = follow(site, admin, dataset="utterances")
    assert len(rows) == 6 < len(whole)
    refused = get(site, admin, dataset="utterances", client=str(pairs[1].client_id))
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-FED-006")
    widened = get(site, admin, dataset="utterances", cursor=cursor)
    assert (widened.status_code, widened.json()["code"]) == (400, "COACH-FED-002")


def test_a_scope_is_needed(site: Site, admin: dict[str, str]) -> None:
    other = site.token("root@example.org", "transcripts:read")
    assert get(site, other, dataset="sessions").json()["code"] == "COACH-IDN-015"
    assert get(site, {}, dataset="sessions").status_code == 401


@pytest.mark.postgres
def test_a_digest_takes_as_long_as_a_big_dataset_needs(
    make_site: Callable[..., Site],
    new_database_url: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = Database(new_database_url("postgres"))
    site = make_site(database=database)
    site.add("root@example.org", "admin")
    headers = site.token("root@example.org", "changes:read")
    limits = ("statement_timeout", "idle_in_transaction_session_timeout")
    seen: list[tuple[str, ...]] = []

    def limits_of(connection: Connection) -> tuple[str, ...]:
        return tuple(str(connection.scalar(sa.text(f"SHOW {name}"))) for name in limits)

    def rows(connection: Connection, *rest: Any) -> Iterator[tuple[str, bytes]]:
        seen.append(limits_of(connection))
        return canonical_rows(connection, *rest)

    with database.connect() as connection:
        usual = limits_of(connection)
    assert "0" not in usual
    monkeypatch.setattr(digests_of_feed, "canonical_rows", rows)
    assert get(site, headers, "digest", dataset="utterances").status_code == 200
    assert seen == [("0", "0")]
    for _ in range(3):  # of the connections that others get next
        with database.connect() as connection:
            assert limits_of(connection) == usual
    database.close()


def test_wrong_requests_say_what_is_wrong(site: Site, admin: dict[str, str]) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    for params, status, code in (
        ({"dataset": "nothing"}, 400, "COACH-EXP-001"),
        ({"dataset": "sessions", "cursor": "abc"}, 400, "COACH-FED-001"),
        ({"dataset": "sessions", "cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")}, 400, "COACH-FED-001"),
        ({"dataset": "clients", "cursor": cursor}, 400, "COACH-FED-002"),
        ({"dataset": "sessions", "limit": 10_001}, 422, "COACH-API-006"),
        ({"dataset": "sessions", "wait": 31}, 422, "COACH-API-006"),
        ({"dataset": "sessions", "coach": str(uuid.UUID(int=1))}, 404, "COACH-CCH-001"),
    ):  # fmt: skip
        answer = get(site, admin, **params)
        assert (answer.status_code, answer.json()["code"]) == (status, code), params


def test_a_feed_that_began_anew_is_gone_and_names_the_ways_back(
    site: Site, admin: dict[str, str]
) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    with site.services.database.connect(write=True) as connection:
        change_feed.bump_epoch(connection)
    for path, name in (("changes", "cursor"), ("digest", "at")):
        answer = get(site, admin, path, dataset="sessions", **{name: cursor})
        assert answer.status_code == 410
        body = answer.json()
        assert body["code"] == "COACH-FED-003"
        assert body["type"].endswith("/guide/reference/errors/coach-fed-003/")
        assert body["links"] == {"bulk": "/v1/exports", "digest": "/v1/digest?dataset=sessions"}
    digest = site.client.get(body["links"]["digest"], headers=admin).json()
    assert get(site, admin, dataset="sessions", cursor=digest["cursor"]).status_code == 200


def test_a_cursor_older_than_the_floor_is_gone(site: Site, admin: dict[str, str]) -> None:
    _, cursor = follow(site, admin, dataset="sessions")
    with site.services.database.connect(write=True) as connection:
        connection.execute(sa.update(FeedMeta).values(floor_pos=10**6))
    answer = get(site, admin, dataset="sessions", cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (410, "COACH-FED-004")
    assert answer.json()["links"]["bulk"] == "/v1/exports"


def test_equal_copies_have_equal_digests_and_the_bucket_that_differs_is_found(
    site: Site, admin: dict[str, str]
) -> None:
    rows, cursor = follow(site, admin, dataset="utterances")
    clean = {key: {n: v for n, v in row.items() if n[0] != "_"} for key, row in rows.items()}
    answer = get(site, admin, "digest", dataset="utterances", at=cursor).json()
    found = [(bucket["count"], bucket["sum"]) for bucket in answer["buckets"]]
    assert found == digests(clean)
    assert not any(bucket["changed"] for bucket in answer["buckets"])
    victim = next(iter(clean))
    clean[victim]["text"] += "!"
    differing = [n for n, (a, b) in enumerate(zip(found, digests(clean), strict=True)) if a != b]
    assert len(differing) == 1
    with site.services.database.connect(write=True) as connection:
        connection.execute(
            sa.update(Utterance).where(Utterance.id == uuid.UUID(victim)).values(text="Changed")
        )
    after = get(site, admin, "digest", dataset="utterances", at=cursor).json()
    assert [bucket["bucket"] for bucket in after["buckets"] if bucket["changed"]] == differing


def test_a_client_with_an_ordered_bookmark_finds_it_in_each_row(
    site: Site, admin: dict[str, str]
) -> None:
    rows, cursor = follow(site, admin, dataset="utterances", limit=5, cursor_in_rows=True)
    marks = [row["_cursor"] for row in rows.values()]
    assert marks == sorted(marks)
    assert max(marks)[:16] == cursor[:16]
    with site.services.database.connect(write=True) as connection:
        connection.execute(sa.update(Utterance).where(Utterance.position == 1).values(text="New"))
    later, _ = follow(site, admin, dataset="utterances", cursor=max(marks))
    assert {row["text"] for row in later.values()} == {"New"}
