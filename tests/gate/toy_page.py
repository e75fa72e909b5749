"""A page of the gate's tests: it ticks by itself, says whose it is, and reads a client by name.

Copied beside the test's notebooks as `toy.py`, so that it runs inside a kernel.
"""

from __future__ import annotations

import os
import threading

import ipywidgets as widgets

from coachops.bootstrap import Services
from coachops.coaching.people import find_client
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.dashboards.identity import shown


def page() -> widgets.Widget:
    return shown(_build)


def _build(actor: Actor, services: Services) -> widgets.Widget:
    live = widgets.HTML()
    out = widgets.HTML()
    ref = widgets.Text(description="client")
    leaks = sorted(
        name
        for name, value in os.environ.items()
        if "TOKEN" in name or "TICKET" in name or "SECRET" in name or "toy-secret" in value
    )

    def tick() -> None:
        turn = 0
        while True:
            turn += 1
            live.value = f'<p id="live">LIVE {turn} {actor.name} leaks={leaks}</p>'
            threading.Event().wait(0.5)

    def read(change: dict[str, str]) -> None:
        try:
            with services.database.read() as session:
                client = find_client(session, actor, change["new"])
            out.value = f'<p id="out">FOUND {client.name}</p>'
        except CoachError as error:
            out.value = f'<p id="out">DENIED {error.code}</p>'

    ref.observe(read, names="value")
    threading.Thread(target=tick, daemon=True).start()
    frame = widgets.VBox([live, ref, out])
    frame.add_class("co-page")  # what the template waits for before it shows the page
    return frame
