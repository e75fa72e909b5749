"""The surface over HTTP: sign-in, the gate to the dashboards, `/v1`, guide, health and metrics.

Invariants: `boundary` checks Host, Origin and size before any route runs; every answer that is an
error carries a code of the catalogue (`problems`); data comes from capabilities only, with the actor.
To add a route: a router module here, included in `app.create_app`.
"""

from coachops.api.app import create_app

__all__ = ["create_app"]
