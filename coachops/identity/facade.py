"""`Identity`: the one object through which surfaces sign people in and look after kernels."""

from __future__ import annotations

from coachops.identity.kernels import Kernels
from coachops.identity.links import Links
from coachops.identity.signing_in import SigningIn
from coachops.identity.tokens import Tokens
from coachops.identity.users import Users


class Identity(Users, Links, SigningIn, Kernels, Tokens):
    """Users, links, sign-ins, kernels and tokens; each part is described in its own module."""
