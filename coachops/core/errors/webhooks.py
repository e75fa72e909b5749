"""Webhooks: codes COACH-WHK-…"""

from __future__ import annotations

from coachops.core.errors.base import ErrorSpec, Kind

ROWS = (
    ErrorSpec(
        "COACH-WHK-001",
        Kind.NOT_FOUND,
        "There is no webhook '{ref}'.",
        "Run 'coachops webhook list' for the list.",
        why="The id was mistyped, the webhook was removed, or it belongs to another program.",
    ),
    ErrorSpec(
        "COACH-WHK-002",
        Kind.INVALID,
        "A webhook cannot be sent to this address: {reason}.",
        "Give the full https:// address of a receiver that the internet can reach. For one in your "
        "own network, an admin names its host in COACHOPS_WEBHOOK_PRIVATE_HOSTS.",
        why="What may be reached from the server only must not be reached through it.",
    ),
    ErrorSpec(
        "COACH-WHK-003",
        Kind.INVALID,
        "{field}: {reason}.",
        "Correct the value. The guide's page about webhooks lists the types of events.",
        why="A value is unknown, or wider than the token may see.",
    ),
    ErrorSpec(
        "COACH-WHK-004",
        Kind.CONFLICT,
        "The webhook '{ref}' is switched off ({reason}).",
        "Mend the receiver, then run 'coachops webhook enable {ref}'. After a restore, see first "
        "whether it is still wanted.",
        why="Its receiver answered that it is gone, or failed for days; or a backup was restored, "
        "and nobody has looked yet whether it was removed since.",
    ),
    ErrorSpec(
        "COACH-WHK-005",
        Kind.CONFIGURATION,
        "The secret of the webhook '{ref}' cannot be opened with this installation's key.",
        "Put the file 'secrets/webhooks' of the home folder back (a backup holds it), or run "
        "'coachops webhook rotate {ref}' and give the new secret to the receiver.",
        who="admin",
        why="The database came from another installation, or the key was replaced.",
    ),
    ErrorSpec(
        "COACH-WHK-006",
        Kind.CONFLICT,
        "This Idempotency-Key was used for another request.",
        "Send a new key with a new request; the same key repeats the same request only.",
        why="Two requests that differ came with one key.",
    ),
    ErrorSpec(
        "COACH-WHK-007",
        Kind.NOT_FOUND,
        "There is no delivery '{ref}' of this webhook.",
        "Run 'coachops webhook deliveries ID' for the list.",
        why="The id was mistyped, or the delivery was cleared after its time.",
    ),
    ErrorSpec(
        "COACH-WHK-008",
        Kind.FAILED,
        "The delivery was not accepted ({reason}).",
        "Look at the receiver; the delivery is tried again by itself if a worker runs.",
        retryable=True,
        why="The receiver could not be reached, or did not answer with a status from 200 to 299.",
    ),
)
