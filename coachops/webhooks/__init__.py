"""Webhooks: telling other systems at once that something happened (Standard Webhooks).

Invariants: an event is written in the transaction of its act, with ids, counts and links only;
each is delivered at least once, under one id, while its receiver lives; nothing is sent to where only
this server can reach unless an admin named it. To add an event: see `events`.
"""

from coachops.webhooks.changes import ChangeSource, tell_changes
from coachops.webhooks.events import CHOICES, EVENTS
from coachops.webhooks.outbox import emit, forget

__all__ = ["CHOICES", "EVENTS", "ChangeSource", "emit", "forget", "tell_changes"]
