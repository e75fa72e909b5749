"""Who may come in: users, passwords, one-time links, sign-ins, dashboard kernels, API tokens.

Invariants: secrets are stored only as argon2id or SHA-256; every link, ticket and kernel is claimed
by compare-and-set, so it works once; a disabled user's sign-ins end in the same transaction; every
act is audited. To add a page with its roles: a row in `pages.PAGES`; a scope: `tokens.SCOPES`.
"""

from coachops.identity.buckets import Allowance, RequestLimit
from coachops.identity.facade import Identity
from coachops.identity.limits import FailureLimit
from coachops.identity.links import LinkView
from coachops.identity.pages import PAGES, Page
from coachops.identity.tokens import SCOPES, Bearer, TokenRow
from coachops.identity.users import UserRow, shut_out_coaches

__all__ = [
    "PAGES",
    "SCOPES",
    "Allowance",
    "Bearer",
    "FailureLimit",
    "Identity",
    "LinkView",
    "Page",
    "RequestLimit",
    "TokenRow",
    "UserRow",
    "shut_out_coaches",
]
