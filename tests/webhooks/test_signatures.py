"""Receivers verify with the libraries of others, in Python and in Node; what was altered is refused."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from coachops.backup.home import pack
from coachops.bootstrap import services as open_services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.webhooks.facade import BOTH
from coachops.webhooks.secrets import PREFIX, Seal, new_secret
from coachops.webhooks.sending import Answer, Letter, headers_of
from tests.conftest import missing_tool
from tests.support.patience import WHOLE
from tests.support.receiver import Received, Receiver
from tests.webhooks.conftest import House

NODE = Path(__file__).resolve().parents[1] / "support" / "node"
_SCRIPT = """
const { Webhook } = require("standardwebhooks");
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ secret, body, headers }) => {
  try { new Webhook(secret).verify(body, headers); return "accepted"; }
  catch (error) { return error.name; }
})));
"""

Case = tuple[str, str, dict[str, str]]


def by_python(cases: list[Case]) -> list[bool]:
    found = []
    for secret, body, headers in cases:
        try:
            Webhook(secret).verify(body, headers)
            found.append(True)
        except WebhookVerificationError:
            found.append(False)
    return found


def by_node(cases: list[Case]) -> list[bool]:
    if shutil.which("node") is None or not (NODE / "node_modules").is_dir():
        missing_tool("Node with the test packages (make tools)")
    rows = [{"secret": s, "body": b, "headers": h} for s, b, h in cases]
    done = subprocess.run(
        ["node", "-e", _SCRIPT], cwd=NODE, input=json.dumps(rows),
        capture_output=True, text=True, check=True, timeout=WHOLE,
    )  # fmt: skip
    outcomes = json.loads(done.stdout)
    assert set(outcomes) <= {"accepted", "WebhookVerificationError"}, outcomes
    return [each == "accepted" for each in outcomes]


VERIFIERS = pytest.mark.parametrize("verify", [by_python, by_node], ids=["python", "node"])
Verify = Callable[[list[Case]], list[bool]]


def _case(secret: str, request: Received, **changed: Any) -> Case:
    headers = {name: v for name, v in request.headers.items() if name.startswith("webhook-")}
    body = changed.pop("body", request.body.decode())
    return secret, body, headers | {name.replace("_", "-"): v for name, v in changed.items()}


@VERIFIERS
def test_a_delivery_is_accepted_and_whatever_was_altered_is_not(
    house: House, receiver: Receiver, verify: Verify
) -> None:
    secret, _ = house.add(receiver.url())
    house.emit("e1")
    house.work_off()
    [request] = receiver.requests
    at = int(request.headers["webhook-timestamp"])
    body = request.body.decode()
    assert (
        verify(
            [
                _case(secret, request),
                _case(new_secret(), request),
                _case(secret, request, body=body.replace('"rows":7', '"rows":8')),
                _case(secret, request, body=body + " "),
                _case(secret, request, webhook_timestamp=str(at + 1)),
                _case(secret, request, webhook_timestamp=str(at - 1)),
                _case(secret, request, webhook_id="msg_0"),
                _case(secret, request, webhook_signature="v1,AAAA"),
            ]
        )
        == [True] + [False] * 7
    )


@VERIFIERS
@pytest.mark.parametrize(("minutes", "accepted"), [(-4, True), (-6, False), (4, True), (6, False)])
def test_a_delivery_that_is_too_old_or_from_the_future_is_refused(
    verify: Verify, minutes: int, accepted: bool
) -> None:
    """Somebody who recorded one cannot play it to the receiver again later."""
    secret = new_secret()
    letter = Letter("https://x.example.org", "msg_1", '{"a":1}', (secret,))
    with clock.frozen(clock.now() + dt.timedelta(minutes=minutes)):
        headers = headers_of(letter)
    assert verify([(secret, letter.body, headers)]) == [accepted]


@VERIFIERS
def test_for_a_day_after_a_rotation_both_secrets_verify(
    house: House, receiver: Receiver, verify: Verify
) -> None:
    old, hook = house.add(receiver.url())
    new, row = house.services.webhooks.rotate(SYSTEM, hook.id)
    assert row.previous_until is not None
    house.emit()
    house.work_off()
    house.change(hook, previous_until=clock.now() - dt.timedelta(seconds=1))
    house.emit()
    house.work_off()
    during, afterwards = receiver.requests
    assert during.headers["webhook-signature"].count("v1,") == 2
    assert afterwards.headers["webhook-signature"].count("v1,") == 1
    assert verify(
        [
            _case(old, during), _case(new, during), _case(new, afterwards),
            _case(old, afterwards),
        ]
    ) == [True, True, True, False]  # fmt: skip
    assert house.get(hook).previous_until is None
    assert dt.timedelta(days=1) == BOTH


def test_a_secret_stands_in_the_database_only_sealed_and_for_its_endpoint_only(
    house: House, receiver: Receiver
) -> None:
    secret, hook = house.add(receiver.url())
    _, other = house.add(receiver.url())
    assert secret.startswith(PREFIX)
    with house.services.database.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, secret, key_id FROM webhook_endpoints"))
        sealed = {str(row.id).replace("-", ""): (row.secret, row.key_id) for row in rows}
    text, key_id = sealed[hook.id.hex]
    assert secret.removeprefix(PREFIX) not in str(sealed)
    seal = Seal(house.services.secret("webhooks"))
    assert seal.open(text, hook.id, key_id) == secret
    for wrong, endpoint_id, known in (
        (text, other.id, key_id),  # moved to another row
        (text, hook.id, "0" * 16),
        (text[:-8] + "AAAAAAA=", hook.id, key_id),
        ("not base64", hook.id, key_id),
    ):
        with pytest.raises(CoachError) as refused:
            seal.open(wrong, endpoint_id, known)
        assert refused.value.code == "COACH-WHK-005"


def test_without_its_key_events_wait_until_it_is_back_or_the_secret_was_rotated(
    house: House, receiver: Receiver
) -> None:
    secret, hook = house.add(receiver.url("/one"))
    _, other = house.add(receiver.url("/two"))
    file = house.services.settings.home / "secrets" / "webhooks"
    key = file.read_text()
    file.unlink()
    elsewhere = House(open_services(house.services.settings))
    try:
        elsewhere.emit()
        assert elsewhere.work_off() == []
        assert [each.attempts for each in elsewhere.deliveries(hook)] == [0]
        assert set(elsewhere.services.webhooks.health(SYSTEM).unreadable) == {hook.id, other.id}
        new, row = elsewhere.services.webhooks.rotate(SYSTEM, other.id)
        assert row.previous_until is None
        assert len(elsewhere.work_off()) == 1
        assert receiver.requests[-1].verified(new)["type"] == "export.ready"
        assert elsewhere.services.webhooks.health(SYSTEM).unreadable == (hook.id,)
    finally:
        elsewhere.services.close()
    file.write_text(key)
    assert len(house.work_off()) == 1
    assert receiver.requests[-1].verified(secret)["type"] == "export.ready"


def test_a_sealed_secret_that_was_tampered_with_signs_nothing(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    house.change(hook, secret="AAAA")
    house.emit()
    assert house.work_off() == [Answer(failure="key")]
    assert receiver.requests == []


def test_the_key_is_in_the_backup_as_other_secrets_are(house: House, tmp_path: Path) -> None:
    key = house.services.secret("webhooks")
    file = house.services.settings.home / "secrets" / "webhooks"
    assert file.stat().st_mode & 0o777 == 0o600
    pack(house.services.settings.home, tmp_path / "home.tar")
    with tarfile.open(tmp_path / "home.tar") as tar:
        member = tar.extractfile("secrets/webhooks")
        assert member is not None
        assert member.read() == key
