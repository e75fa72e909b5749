"""The dashboard pages: which notebook, for which roles, and whether kernels wait warm for it.

One table decides the addresses under `/app/`, the gate's admission and Voila's pools. Admission is
not the lock on data: every capability call checks ownership itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from coachops.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard.

    Attributes:
        name: of the address `/app/<name>` and of the notebook `<name>.ipynb`.
        title: shown in links and in the browser's tab.
        roles: may open it.
        preheat: the largest number of kernels kept warm for it; 0 starts one on demand.
    """

    name: str
    title: str
    roles: frozenset[str]
    preheat: int = 0


PAGES: tuple[Page, ...] = (
    Page("workspace", "Workspace", frozenset({"coach"}), preheat=20),
    Page("overview", "Overview", frozenset({"admin", "analyst"}), preheat=1),
    Page("quarantine", "Quarantine", frozenset({"admin", "coach"})),
    Page("exports", "Exports", frozenset({"admin", "analyst", "coach"})),
    Page("users", "Users", frozenset({"admin"})),
)
"""Every page. Pools are the smaller of `preheat` and the setting `kernel_pool`."""

HOME: dict[str, str] = {"coach": "/app/workspace", "admin": "/app/overview", "analyst": "/guide/"}
"""Where a role lands after signing in; other roles (services) have no pages."""


def may_open(page: Page, actor: Actor) -> bool:
    """Whether the gate admits `actor` to `page`."""
    return actor.role in page.roles


def home_of(actor: Actor) -> str:
    """The address where `actor` lands after signing in."""
    return HOME.get(actor.role, "/guide/")
