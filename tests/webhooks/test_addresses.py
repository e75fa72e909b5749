"""Where a webhook may go: never to what only the server can reach, unless an admin named it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.webhooks.addresses import Rules, parse, resolve
from coachops.webhooks.secrets import new_secret
from coachops.webhooks.sending import Answer, Letter, send
from tests.support.receiver import Receiver, answers

PRODUCTION = Rules(https_only=True, loopback=False)
LOCAL = Rules(https_only=False, loopback=True)
INSIDE = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::",
    "::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "fec0::1",
]  # fmt: skip
NEVER = ["169.254.169.254", "fd00:ec2::254", "fe80::1", "::ffff:169.254.169.254"]


def letter(url: str) -> Letter:
    return Letter(url, "msg_1", "{}", (new_secret(),))


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside_is_not_sent_to(address: str) -> None:
    assert not PRODUCTION.allow(ipaddress.ip_address(address), "hooks.example.org")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_the_internet_is(address: str) -> None:
    assert PRODUCTION.allow(ipaddress.ip_address(address), "hooks.example.org")


def test_an_admin_names_hosts_and_networks_of_the_own_network() -> None:
    settings = load_settings(
        webhook_private_hosts="CRM.internal 10.20.0.0/16 192.168.7.9 fd12::/48"
    )
    rules = Rules.of(settings)
    for address, host, allowed in (
        ("10.9.9.9", "crm.internal", True),
        ("10.9.9.9", "other.internal", False),
        ("10.20.9.9", "other.internal", True),
        ("::ffff:10.20.9.9", "other.internal", True),
        ("192.168.7.9", "x", True),
        ("192.168.7.8", "x", False),
        ("fd12::7", "x", True),
        ("fd13::7", "x", False),
    ):
        assert rules.allow(ipaddress.ip_address(address), host) is allowed, (address, host)


@pytest.mark.parametrize("address", NEVER)
def test_the_credentials_of_the_machine_are_never_reached(address: str) -> None:
    rules = Rules(False, True, frozenset({"x"}), (ipaddress.ip_network("0.0.0.0/0"),))
    assert not rules.allow(ipaddress.ip_address(address), "x")


def test_a_local_installation_reaches_itself_and_one_in_production_does_not() -> None:
    local = Rules.of(load_settings())
    assert (local.https_only, local.loopback) == (False, True)
    production = Rules.of(
        load_settings(
            env="production", database_url="postgresql://u@h/d", public_url="https://c.example.org"
        )
    )
    assert (production.https_only, production.loopback) == (True, False)
    assert local.allow(ipaddress.ip_address("::1"), "localhost")


@pytest.mark.parametrize("hosts", ["10.0.0.0/8 10.1.2.3/8", "http://crm", "*.internal"])
def test_a_list_of_hosts_that_is_none_is_refused_at_the_start(hosts: str) -> None:
    with pytest.raises(CoachError) as refused:
        load_settings(webhook_private_hosts=hosts)
    assert refused.value.code == "COACH-SYS-001"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/", "ftp://hooks.example.org/", "file:///etc/passwd", "https://",
        "https:///path", "hooks.example.org", "", "https://user:pw@hooks.example.org/",
        "https://hooks.example.org/#part", "https://hooks example.org/", "https://h.example.org/\n",
        "https://h.example.org/\u200b", "https://127.0.0.1/", "https://[::1]/", "https://localhost/",
        "https://LOCALHOST./", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/",
        "https://h.example.org:99999/", "https://h.example.org/" + "x" * 2000, "https://exa[mple/",
        "gopher://h.example.org", "https://\ud800.example.org/",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_right_is_refused_when_it_is_added(url: str) -> None:
    with pytest.raises(CoachError) as refused:
        parse(url, PRODUCTION)
    assert refused.value.code == "COACH-WHK-002"


@given(st.sampled_from(["", "https://", "https://hooks.example.org/"]), st.text(max_size=60))
def test_whatever_is_given_as_an_address_is_taken_or_refused_with_a_code(
    start: str, text: str
) -> None:
    try:
        outcome = parse(start + text, PRODUCTION).scheme
    except CoachError as error:
        outcome = error.code
    assert outcome in {"https", "COACH-WHK-002"}


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_other_ways_to_write_this_machine_are_seen_through(host: str) -> None:
    try:
        url = parse(f"https://{host}/", PRODUCTION)
    except CoachError:
        return  # refused at once is as good
    with pytest.raises((CoachError, OSError)):
        asyncio.run(resolve(url, PRODUCTION))


def test_a_name_that_leads_inside_is_not_sent_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Rules(https_only=False, loopback=False)
    url = receiver.url(host="hooks.example.org")
    _names(monkeypatch, {"hooks.example.org": ["93.184.216.34", "127.0.0.1"]})
    assert asyncio.run(send(letter(url), outside)) == Answer(failure="blocked")
    assert receiver.requests == []


def test_a_name_that_changes_after_the_look_is_not_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer is allowed, every later one leads somewhere else."""
    asked = _names(monkeypatch, {"hooks.example.org": ["127.0.0.1"]}, later=["127.0.0.9"])
    answer = asyncio.run(send(letter(receiver.url(host="hooks.example.org")), LOCAL))
    assert answer == Answer(204)
    assert asked == ["hooks.example.org"]  # once, and what it said is what was connected to
    [request] = receiver.requests
    assert request.headers["host"] == f"hooks.example.org:{receiver.port}"


def test_a_redirect_inside_is_not_followed(receiver: Receiver) -> None:
    with Receiver() as inside:
        receiver.behaviour = answers(302, Location=inside.url("/secret"))
        assert asyncio.run(send(letter(receiver.url()), LOCAL)) == Answer(302, "redirect")
        assert inside.requests == []


def test_a_name_that_nobody_knows_is_a_failure_of_its_own() -> None:
    answer = asyncio.run(send(letter("http://nobody.invalid/"), LOCAL))
    assert answer == Answer(failure="dns")
    assert asyncio.run(resolve(httpx.URL("http://localhost:1/"), LOCAL))[0] in {"127.0.0.1", "::1"}


def _names(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], later: list[str] | None = None
) -> list[str]:
    """A name service that answers so; `later` from the second question on. Returns the questions."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str | bytes, port: int, *rest: object, **more: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in names:
            return real(host, port, *rest, **more)  # type: ignore[arg-type]
        addresses = later if asked and later is not None else names[name]
        asked.append(name)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked
