"""Holding back what was found in words that were cut or redacted since.

A finding is marked, not deleted, since the correction can be undone: `Insight.held_back` and
`ActionItem.held_back`. Every reader (page, letter, export, frames, engine) leaves marked rows out.
A later transcript's words in a next step of an earlier one are blanked; a new analysis brings them
back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching.actions import own_citations
from coachops.coaching.citations import REDACTED, quote_holds
from coachops.coaching.messages.drafting import take_words_back
from coachops.db.models import ActionItem, Insight, Transcript, Utterance


def hold_back(session: Session, transcript: Transcript) -> None:
    """Mark what may not be read any more, unmark what may be read again, and say so in the draft."""
    readable = {
        row.position: row.text
        for row in session.execute(
            sa.select(Utterance.position, Utterance.text).where(
                Utterance.transcript_id == transcript.id, Utterance.is_cut.is_(False)
            )
        )
    }
    changed = False
    for insight in session.scalars(
        sa.select(Insight).where(Insight.transcript_id == transcript.id)
    ):
        held_back = not all_hold(insight.citations, readable)
        changed |= insight.held_back != held_back
        insight.held_back = held_back
    here = str(transcript.id)
    for item in session.scalars(
        sa.select(ActionItem).where(ActionItem.client_id == transcript.client_id)
    ):
        if item.transcript_id == transcript.id:
            held_back = not all_hold(own_citations(item), readable)
            changed |= item.held_back != held_back
            item.held_back = held_back
            continue
        blanked = [
            entry | {"quote": REDACTED}
            if entry.get("transcript_id") == here and not all_hold([entry], readable)
            else entry
            for entry in item.citations
        ]
        if blanked != item.citations:
            item.citations = blanked
            changed = True
    session.flush()
    if changed:
        take_words_back(session, transcript)


def all_hold(citations: Sequence[Mapping[str, Any]], readable: Mapping[int, str]) -> bool:
    """Whether every quote stands in what may be read of its transcript, by position."""
    return all(
        quote_holds(entry["quote"], readable.get(entry["position"], "")) for entry in citations
    )
