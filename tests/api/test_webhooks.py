"""`/v1/webhooks`: programs ask to be told, by scope and within their limits, each request once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from coachops.core.actor import SYSTEM
from coachops.core.grants import Grant
from coachops.db import change_feed
from coachops.jobs.changes import FeedChanges
from coachops.webhooks import emit, tell_changes
from coachops.webhooks.delivering import due_endpoints
from tests.api.conftest import ORIGIN, Site
from tests.coaching.builders import make_pair
from tests.support.receiver import Receiver
from tests.webhooks.conftest import ready

SCOPE = "webhooks:manage"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def bearer(site: Site) -> dict[str, str]:
    site.add("robot@example.org", "service")
    return site.token("robot@example.org", SCOPE)


def body(url: str, **more: object) -> dict[str, object]:
    return {"url": url, "event_types": ["export.ready"], "description": "CRM"} | more


def test_a_program_asks_is_told_and_sees_what_became_of_it(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    client = site.client
    made = client.post("/v1/webhooks", json=body(receiver.url()), headers=bearer)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    hook, secret = made.json()["webhook"], made.json()["secret"]
    path = made.headers["location"]
    assert client.get(path, headers=bearer).json() == hook
    listed = client.get("/v1/webhooks", headers=bearer)
    assert listed.json() == {"webhooks": [hook]}
    assert "whsec_" not in listed.text
    tested = client.post(f"{path}/test", headers=bearer)
    assert (tested.status_code, tested.json()["state"]) == (202, "waiting")
    work_off(site)
    [request] = receiver.requests
    assert request.verified(secret)["data"] == {"webhook_id": hook["id"]}
    [row] = client.get(f"{path}/deliveries", headers=bearer).json()["deliveries"]
    assert (row["state"], row["last_status"], row["event_id"]) == ("delivered", 204, request.id)
    none = client.get(f"{path}/deliveries?state=waiting&state=exhausted", headers=bearer)
    assert none.json() == {"deliveries": []}
    again = client.post(f"{path}/deliveries/{row['id']}/redeliver", headers=bearer)
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    work_off(site)
    assert [each.id for each in receiver.requests] == [request.id] * 2
    rotated = client.post(f"{path}/rotate", headers=bearer).json()
    assert rotated["secret"] != secret
    assert rotated["webhook"]["previous_until"] is not None
    assert client.delete(path, headers=bearer).status_code == 204
    gone = client.get(path, headers=bearer)
    assert (gone.status_code, gone.json()["code"]) == (404, "COACH-WHK-001")


def test_a_request_that_is_repeated_with_its_key_is_done_once_and_answered_the_same(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    client, keyed = site.client, bearer | {"Idempotency-Key": "k-1"}
    url = receiver.url()
    first = client.post("/v1/webhooks", json=body(url), headers=keyed)
    assert client.post("/v1/webhooks", json=body(url), headers=keyed).json() == first.json()
    other = client.post("/v1/webhooks", json=body(url + "x"), headers=keyed)
    assert (other.status_code, other.json()["code"]) == (409, "COACH-WHK-006")
    narrower = client.post("/v1/webhooks", json=body(url, datasets=["goals"]), headers=keyed)
    assert narrower.status_code == 409
    path = first.headers["location"]
    for action in ("rotate", "test"):
        one = client.post(f"{path}/{action}", headers=keyed)
        assert client.post(f"{path}/{action}", headers=keyed).json() == one.json(), action
    [row] = client.get(f"{path}/deliveries", headers=bearer).json()["deliveries"]
    work_off(site)
    again = f"{path}/deliveries/{row['id']}/redeliver"
    assert client.post(again, headers=keyed).json()["state"] == "waiting"
    work_off(site)
    assert client.post(again, headers=keyed).json()["state"] == "delivered"
    assert len(client.get("/v1/webhooks", headers=bearer).json()["webhooks"]) == 1
    # the key of one caller is nothing to another
    site.add("second@example.org", "service")
    second = site.token("second@example.org", SCOPE) | {"Idempotency-Key": "k-1"}
    assert client.post("/v1/webhooks", json=body(url), headers=second).json() != first.json()


def test_a_service_sees_its_own_and_an_admin_all(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    client = site.client
    path = client.post(
        "/v1/webhooks", json=body(receiver.url()), headers=bearer
    ).headers["location"]  # fmt: skip
    site.add("second@example.org", "service")
    second = site.token("second@example.org", SCOPE)
    assert client.get("/v1/webhooks", headers=second).json() == {"webhooks": []}
    for method, end in (
        ("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/enable"), ("POST", "/test"),
        ("GET", "/deliveries"), ("POST", f"/deliveries/{uuid.UUID(int=1)}/redeliver"),
    ):  # fmt: skip
        refused = client.request(method, f"{path}{end}", headers=second)
        assert (refused.status_code, refused.json()["code"]) == (404, "COACH-WHK-001"), end
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    assert len(client.get("/v1/webhooks").json()["webhooks"]) == 1
    assert client.delete(path, headers={"Origin": ORIGIN}).status_code == 204


def test_without_scope_or_role_nobody_is_let_in(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    wrong = site.token("robot@example.org", "transcripts:read")
    for method, path in (("GET", "/v1/webhooks"), ("POST", "/v1/webhooks")):
        given = {"json": body(receiver.url())} if method == "POST" else {}
        refused = site.client.request(method, path, headers=wrong, **given)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-015")
    site.add("ann@example.org", "analyst")
    analyst = site.token("ann@example.org", SCOPE)
    refused = site.client.get("/v1/webhooks", headers=analyst)
    assert (refused.status_code, refused.json()["code"]) == (403, "COACH-IDN-003")


def test_a_token_with_limits_is_told_of_nothing_beyond_them(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    client, anna = site.client, make_pair(site.services.database).coach_id
    wide = client.post("/v1/webhooks", json=body(receiver.url()), headers=bearer)
    grant = Grant(datasets=frozenset({"goals", "sessions"}), coaches=frozenset({anna}))
    bearer = site.token("robot@example.org", SCOPE, grant=grant)
    made = client.post("/v1/webhooks", json=body(receiver.url()), headers=bearer).json()["webhook"]
    assert (made["datasets"], made["coaches"]) == (["goals", "sessions"], [str(anna)])
    for more in ({"datasets": ["messages"]}, {"coaches": [str(uuid.UUID(int=8))]}):
        refused = client.post("/v1/webhooks", json=body(receiver.url(), **more), headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (422, "COACH-WHK-003")
    hidden = site.token("robot@example.org", SCOPE, grant=Grant(privacy="pseudonymous"))
    named = body(receiver.url(), event_types=["client.erased"])
    refused = client.post("/v1/webhooks", json=named, headers=hidden)
    assert (refused.status_code, refused.json()["code"]) == (422, "COACH-WHK-003")
    narrower = body(receiver.url(), datasets=["goals"])
    assert client.post("/v1/webhooks", json=narrower, headers=bearer).status_code == 201
    hidden = client.get(wide.headers["location"], headers=bearer)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "COACH-WHK-001")
    assert len(client.get("/v1/webhooks", headers=bearer).json()["webhooks"]) == 2


def test_a_service_that_is_disabled_is_told_nothing_more_and_what_an_admin_added_goes_on(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    services, events = site.services, ["export.ready", "data.changed"]
    database = services.database
    made = site.client.post(
        "/v1/webhooks", json=body(receiver.url("/robot"), event_types=events), headers=bearer
    )
    robot = uuid.UUID(made.json()["webhook"]["id"])
    _, kept = services.webhooks.add(SYSTEM, receiver.url("/kept"), events)

    def emitted(name: str) -> None:
        database.run(lambda session: emit(session, "export.ready", ready(name), key=name))

    def due() -> set[uuid.UUID]:
        found = due_endpoints(database, 10, services.webhooks.seal.key_id)
        return {endpoint for endpoint, _ in found}

    emitted("before")
    assert due() == {robot, kept.id}
    services.identity.disable(SYSTEM, "robot@example.org")
    assert due() == {kept.id}
    emitted("after")
    make_pair(database)
    change_feed.sequence(database)
    assert tell_changes(database, FeedChanges(database), 0) == 1
    told = {hook: len(services.webhooks.deliveries(SYSTEM, hook)) for hook in (robot, kept.id)}
    assert told == {robot: 1, kept.id: 3}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"url": "http://169.254.169.254/latest/meta-data"}, "COACH-WHK-002"),
        ({"url": "http://10.0.0.1/"}, "COACH-WHK-002"),
        ({"url": "ftp://x.example.org"}, "COACH-WHK-002"),
        ({"url": "https://a:b@x.example.org"}, "COACH-WHK-002"),
        ({"url": ""}, "COACH-API-006"),
        ({"url": "https://x.example.org/" + "x" * 3000}, "COACH-API-006"),
        ({"event_types": []}, "COACH-API-006"),
        ({"event_types": ["export.gone"]}, "COACH-WHK-003"),
        ({"event_types": ["webhook.test"]}, "COACH-WHK-003"),
        ({"description": "x" * 201}, "COACH-API-006"),
        ({"coaches": ["anna"]}, "COACH-API-006"),
        ({"secret": "mine"}, "COACH-API-006"),
    ],
)
def test_what_is_odd_is_refused_and_nothing_is_kept(
    site: Site, bearer: dict[str, str], wrong: dict[str, Any], code: str
) -> None:
    given = body("https://x.example.org/") | wrong
    refused = site.client.post("/v1/webhooks", json=given, headers=bearer)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert site.client.get("/v1/webhooks", headers=bearer).json() == {"webhooks": []}


def test_one_that_is_off_is_neither_tested_nor_delivered_to(
    site: Site, receiver: Receiver, bearer: dict[str, str]
) -> None:
    from tests.support.receiver import answers

    client = site.client
    path = client.post(
        "/v1/webhooks", json=body(receiver.url()), headers=bearer
    ).headers["location"]  # fmt: skip
    receiver.behaviour = answers(410)
    delivery = client.post(f"{path}/test", headers=bearer).json()
    work_off(site)
    for end in ("test", f"deliveries/{delivery['id']}/redeliver"):
        refused = client.post(f"{path}/{end}", headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (409, "COACH-WHK-004")
    assert client.post(f"{path}/enable", headers=bearer).json()["state"] == "on"
    unknown = client.post(f"{path}/deliveries/{uuid.UUID(int=1)}/redeliver", headers=bearer)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "COACH-WHK-007")
    odd = client.get(f"{path}/deliveries?state=lost", headers=bearer)
    assert (odd.status_code, odd.json()["code"]) == (422, "COACH-WHK-003")


def test_the_description_of_the_api_tells_what_receivers_get(site: Site) -> None:
    document = site.client.get("/openapi.json").json()
    from coachops.webhooks import EVENTS

    assert set(document["webhooks"]) == set(EVENTS)
    names = [
        each["name"] for each in document["webhooks"]["export.ready"]["post"]["parameters"]
    ]  # fmt: skip
    assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    for each in document["webhooks"].values():
        assert "HTTPValidationError" not in str(each)
        assert each["post"]["security"] == []


def work_off(site: Site) -> None:
    from tests.webhooks.conftest import House

    House(site.services).work_off()
