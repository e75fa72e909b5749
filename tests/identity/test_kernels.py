"""Kernels: tickets work once, bindings hold, and exactly those nobody looks at are reaped."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import uuid

import pytest

from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.identity import Identity
from coachops.identity.kernels import NEVER_CONNECTED, TICKET_LIFE

PASSWORD = "four words make one"
GRACE = 10.0


@pytest.fixture
def session_id(identity: Identity) -> uuid.UUID:
    identity.add_user(SYSTEM, "ben@example.org", "Ben", "analyst", password=PASSWORD)
    return identity.sign_in("ben@example.org", PASSWORD)


def _kernel() -> str:
    return str(ids.new_id())


def _opened(identity: Identity, session_id: uuid.UUID, *, connected: bool = True) -> str:
    kernel = _kernel()
    identity.claim_kernel(identity.issue_ticket(session_id, "overview", 50), kernel)
    if connected:
        identity.touch_kernels([kernel])
    return kernel


def _refused(identity: Identity, ticket: str, kernel: str) -> None:
    with pytest.raises(CoachError) as caught:
        identity.claim_kernel(ticket, kernel)
    assert caught.value.code == "COACH-IDN-013"


def test_a_claim_binds_the_kernel_to_the_sign_in(identity: Identity, session_id: uuid.UUID) -> None:
    other = identity.sign_in("ben@example.org", PASSWORD)
    kernel = _kernel()
    actor = identity.claim_kernel(identity.issue_ticket(session_id, "overview", 5), kernel)
    assert actor.name == "Ben"
    assert identity.owns_kernel(session_id, kernel)
    assert not identity.owns_kernel(other, kernel)
    assert not identity.owns_kernel(session_id, _kernel())
    assert identity.running_kernels() == [kernel]
    identity.kernel_ended(kernel)
    identity.kernel_ended(kernel)
    assert not identity.owns_kernel(session_id, kernel)
    assert identity.running_kernels() == []


def test_a_ticket_works_once_and_a_bound_kernel_is_never_bound_again(
    identity: Identity, session_id: uuid.UUID
) -> None:
    ticket, kernel = identity.issue_ticket(session_id, "overview", 5), _kernel()
    identity.claim_kernel(ticket, kernel)
    _refused(identity, ticket, kernel)
    _refused(identity, ticket, _kernel())
    second = identity.issue_ticket(session_id, "overview", 5)
    _refused(identity, second, kernel)
    _refused(identity, second, _kernel())  # burnt by the try
    identity.kernel_ended(kernel)
    _refused(identity, identity.issue_ticket(session_id, "overview", 5), kernel)


@pytest.mark.parametrize("kernel", ["", "not an id", "../../etc", "x" * 5000])
def test_odd_kernel_names_are_refused(
    identity: Identity, session_id: uuid.UUID, kernel: str
) -> None:
    _refused(identity, identity.issue_ticket(session_id, "overview", 5), kernel)


def test_tickets_end_with_time_and_with_the_sign_in(
    identity: Identity, session_id: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        ticket = identity.issue_ticket(session_id, "overview", 5)
    with clock.frozen(start + TICKET_LIFE):
        _refused(identity, ticket, _kernel())
    ticket = identity.issue_ticket(session_id, "overview", 5)
    identity.sign_out(session_id)
    _refused(identity, ticket, _kernel())
    with pytest.raises(CoachError) as caught:
        identity.issue_ticket(session_id, "overview", 5)
    assert caught.value.code == "COACH-IDN-002"


def test_of_many_claims_at_once_one_wins(identity: Identity, session_id: uuid.UUID) -> None:
    ticket = identity.issue_ticket(session_id, "overview", 5)
    won = []

    def claim() -> None:
        with contextlib.suppress(CoachError):
            won.append(identity.claim_kernel(ticket, _kernel()))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(identity.running_kernels()) == 1


def test_exactly_the_kernels_without_a_page_are_reaped(
    identity: Identity, session_id: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        closed = _opened(identity, session_id)
        watched = _opened(identity, session_id)
        loading = _opened(identity, session_id, connected=False)
    with clock.frozen(start + dt.timedelta(seconds=GRACE)):
        identity.touch_kernels([watched])
        assert identity.kernels_to_reap(GRACE) == []
    with clock.frozen(start + dt.timedelta(seconds=GRACE + 1)):
        assert identity.kernels_to_reap(GRACE) == [closed]
    with clock.frozen(start + NEVER_CONNECTED + dt.timedelta(seconds=1)):
        identity.touch_kernels([watched])
        assert set(identity.kernels_to_reap(GRACE)) == {closed, loading}


def test_a_page_that_says_goodbye_keeps_two_seconds(
    identity: Identity, session_id: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        kernel = _opened(identity, session_id)
        identity.page_left(kernel, GRACE)
        assert identity.kernels_to_reap(GRACE) == []
    with clock.frozen(start + dt.timedelta(seconds=2.5)):
        assert identity.kernels_to_reap(GRACE) == [kernel]
        identity.touch_kernels([kernel])  # it came back (reload cancelled)
        assert identity.kernels_to_reap(GRACE) == []


def test_signing_out_and_disabling_reap_at_once(identity: Identity, session_id: uuid.UUID) -> None:
    identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin")
    first = _opened(identity, session_id)
    identity.sign_out(session_id)
    assert identity.kernels_to_reap(GRACE) == [first]
    identity.kernel_ended(first)
    second = _opened(identity, identity.sign_in("ben@example.org", PASSWORD))
    identity.disable(SYSTEM, "ben@example.org")
    assert identity.kernels_to_reap(GRACE) == [second]


def test_open_pages_are_limited_and_closed_ones_make_room(
    identity: Identity, session_id: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        kernels = [_opened(identity, session_id) for _ in range(2)]
        identity.issue_ticket(session_id, "overview", 3)  # a page that is being opened counts
        with pytest.raises(CoachError) as caught:
            identity.issue_ticket(session_id, "overview", 3)
        assert caught.value.code == "COACH-IDN-007"
    with clock.frozen(start + dt.timedelta(seconds=6)):
        identity.touch_kernels(kernels[1:])
        identity.issue_ticket(session_id, "overview", 3)
        assert identity.kernels_to_reap(3600) == kernels[:1]


def test_a_ticket_that_was_not_used_can_be_given_back(
    identity: Identity, session_id: uuid.UUID
) -> None:
    for _ in range(5):
        identity.discard_ticket(identity.issue_ticket(session_id, "overview", 1))
    ticket = identity.issue_ticket(session_id, "overview", 1)
    identity.discard_ticket("unknown")
    assert identity.claim_kernel(ticket, _kernel())


def test_counts_tell_open_pages_from_bound_kernels(
    identity: Identity, session_id: uuid.UUID
) -> None:
    start = clock.now()
    with clock.frozen(start):
        kernels = [_opened(identity, session_id) for _ in range(3)]
    with clock.frozen(start + dt.timedelta(seconds=60)):
        identity.touch_kernels(kernels[:1])
        counts = identity.kernel_counts()
    assert (counts.bound, counts.connected) == (3, 1)
