"""Enhanced status codes of mail servers (RFC 3463): what they tell about an address."""

from __future__ import annotations

import re

_STATUS = re.compile(r"(?<![\w.])([245])\.(\d{1,3})\.(\d{1,3})(?![\w.]*\d)", re.ASCII)

_ADDRESS_REFUSED = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, no such domain, not an address, moved, no mail for the domain (RFC 7505), mailbox
switched off. Everything else that is permanent tells about the letter, the sender or a policy."""


def enhanced_status(text: bytes | str) -> str:
    """The first enhanced status code in an answer or a report, such as `5.1.1`; empty without one."""
    if isinstance(text, bytes):
        text = text[:1000].decode("ascii", "replace")
    found = _STATUS.search(text[:1000])
    return found[0] if found else ""


def is_address_refused(status: str) -> bool:
    """Whether the address itself is refused for good."""
    return status in _ADDRESS_REFUSED
