"""The services that may be asked, in the order in which they are: primary model, second model, second provider.

The local engine stands behind them and is no target: nothing leaves the machine for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from coachops.core.settings import Settings

NO_KEY = "none"
"""Sent where a service of one's own asks for no key; the SDK insists on some text."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model at an address.

    Attributes:
        base_url, api_key, model: as set.
    """

    base_url: str
    api_key: SecretStr
    model: str

    @property
    def host(self) -> str:
        """The host that words would leave for."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def label(self) -> str:
        """Address and model for people; holds no secret, also where the address does."""
        parts = urlsplit(self.base_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')} {self.model}"

    @property
    def name(self) -> str:
        """What processes share their knowledge under; a new key is another service, not yet refused."""
        key = hashlib.sha256(self.api_key.get_secret_value().encode()).hexdigest()
        return f"{self.shared_prefix}{key[:8]}"

    @property
    def shared_prefix(self) -> str:
        """The part of `name` that does not depend on the key."""
        return f"{self.label[:280]} #"

    def same_account(self, other: Target) -> bool:
        """Whether a refused key or an empty account of one is also the other's."""
        return (self.base_url, self.api_key) == (other.base_url, other.api_key)


def chain(settings: Settings) -> tuple[Target, ...]:
    """The services in the order in which they are asked; empty without a key."""
    return connected(settings) if settings.has_ai_key else ()


def connected(settings: Settings) -> tuple[Target, ...]:
    """The services of the installation, also for processes that may not know the key."""
    if not settings.ai_connected:
        return ()
    url, key = settings.openai_base_url, settings.openai_api_key
    targets = [Target(url, key, settings.openai_model)]
    if settings.openai_fallback_model:
        targets.append(Target(url, key, settings.openai_fallback_model))
    if settings.second_openai_base_url:
        second = settings.second_openai_api_key
        targets.append(
            Target(
                settings.second_openai_base_url,
                second if second.get_secret_value() else SecretStr(NO_KEY),
                settings.second_openai_model or settings.openai_model,
            )
        )
    known: dict[str, Target] = {}
    for each in targets:
        known.setdefault(each.name, each)  # the same model twice would only fail twice
    return tuple(known.values())
