"""Where a webhook may go: to the internet, and to hosts of the own network that an admin has named.

The server reaches what the outside must not: itself, its neighbours, the metadata service of a cloud.
So the address that a name resolves to is what counts, at each attempt anew, and exactly that address
is connected to: a name that changes its mind in between (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from coachops.core.errors import CoachError
from coachops.core.settings import Settings

if TYPE_CHECKING:
    import httpx

_HOST = re.compile(rb"[A-Za-z0-9._-]{1,253}")
LONGEST = 2000
"""Characters of an address."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)  # fmt: skip
"""Services of clouds that give a machine its credentials; some lie in networks that look harmless."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOWHERE = tuple(ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b:1::/48", "fec0::/10"))
"""Of a network's own, whatever this Python says: IPv4 in old forms, its own NAT64, old local ones."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation allows.

    Attributes:
        https_only: plain HTTP is refused.
        loopback: this machine may be reached.
        hosts: names in the own network that may be reached, lower case.
        networks: of the own network, likewise.
    """

    https_only: bool
    loopback: bool
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules that the settings say."""
        local = settings.env == "local"
        names = settings.webhook_private_hosts.lower().split()
        networks = tuple(network for each in names if (network := _network(each)) is not None)
        hosts = frozenset(each.strip("[]") for each in names if _network(each) is None)
        return cls(https_only=not local, loopback=local, hosts=hosts, networks=networks)

    def allow(self, address: Address, host: str) -> bool:
        """Whether `address`, which `host` resolves to, may be connected to."""
        real = _inner(address)
        if real in _METADATA or real.is_link_local or real.is_multicast or real.is_unspecified:
            return False
        if host.lower() in self.hosts or any(real in network for network in self.networks):
            return True
        if real.is_loopback:
            return self.loopback
        return real.is_global and not any(real in network for network in _NOWHERE)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (0, address))[1]


def parse(url: str, rules: Rules) -> httpx.URL:
    """The parts of an address that may be sent to, as far as it can be told without resolving it.

    Raises:
        CoachError: COACH-WHK-002.
    """
    import httpx  # noqa: PLC0415 for those who only emit

    if len(url) > LONGEST:
        raise CoachError("COACH-WHK-002", reason=f"it is longer than {LONGEST} characters")
    if not url.isprintable() or " " in url:
        raise CoachError("COACH-WHK-002", reason="it holds spaces or unseen characters")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CoachError("COACH-WHK-002", reason="it is no web address") from error
    if reason := _form(parsed, rules) or _place(parsed, rules):
        raise CoachError("COACH-WHK-002", reason=reason)
    return parsed


def _form(url: httpx.URL, rules: Rules) -> str:
    """What is wrong with how it is written."""
    if url.scheme not in {"http", "https"} or not url.host:
        return "it must start with https:// and name a host"
    if url.scheme == "http" and rules.https_only:
        return "it must start with https://"
    if url.userinfo or url.fragment:
        return "it holds a user name, a password or a fragment"
    if url.port is not None and not 0 < url.port < 65536:
        return "its port is not from 1 to 65535"
    return ""


def _place(url: httpx.URL, rules: Rules) -> str:
    """What is wrong with where it leads, as far as the name alone tells."""
    literal = _literal(url.host)
    if literal is not None:
        return "" if rules.allow(literal, url.host) else "its host is not in the internet"
    if not _HOST.fullmatch(url.raw_host):
        return "its host is no name of a host"
    if url.host.rstrip(".").lower() == "localhost" and not rules.loopback:
        return "its host is this machine"
    return ""


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def resolve(url: httpx.URL, rules: Rules) -> list[str]:
    """The addresses of its host, the preferred one first. Each of them is allowed.

    Raises:
        OSError: the name cannot be resolved.
        CoachError: COACH-WHK-002 where one of them may not be connected to.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            url.raw_host.decode("ascii"), url.port or 0, type=socket.SOCK_STREAM
        )
    except UnicodeError as error:
        raise OSError("a name that cannot be") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    for each in addresses:
        if not rules.allow(ipaddress.ip_address(each.partition("%")[0]), url.host):
            raise CoachError("COACH-WHK-002", reason="its host is not in the internet")
    return addresses
