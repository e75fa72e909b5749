"""Fault 39: the clock of real processes jumps a day ahead and back; nothing is wedged or done twice."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops import audit
from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings
from coachops.db.models import Analysis, Message, Transcript
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.conftest import missing_tool
from tests.support import patience
from tests.support.patience import PATIENCE, WHOLE
from tests.support.worker import environment

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
PASSWORD = "four words make one"

WORKER = """
import threading, time
time.sleep = lambda seconds: threading.Event().wait(seconds) and None
from coachops.cli.main import run
run(["worker"])
"""
"""The library breaks `time.sleep` where it leaves the monotonic clock alone, as a set clock does."""

pytestmark = pytest.mark.faults(39)


@pytest.fixture
def library() -> Path:
    """The library that shifts the wall clock of a process; its monotonic clock goes on as it is."""
    if not LIBRARIES:
        missing_tool("libfaketime (apt-get install faketime)")
    return LIBRARIES[0]


def faked(library: Path, shift: str | Path) -> dict[str, str]:
    """The environment in which the clock is shifted: by a fixed text, or by what a file says now."""
    common = {
        "LD_PRELOAD": str(library),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
        "NO_FAKE_STAT": "1",
    }
    if isinstance(shift, Path):
        return common | {"FAKETIME_TIMESTAMP_FILE": str(shift)}
    return common | {"FAKETIME": shift}


def at(settings: Settings, library: Path, shift: str, code: str) -> Any:
    """What `code` prints as JSON, in a process of its own whose clock is shifted."""
    preamble = """
        import json, datetime as dt
        from coachops.bootstrap import services
        from coachops.core import clock, ids
        from coachops.core.actor import SYSTEM
        from coachops.core.errors import CoachError
        def code_of(call, *args, **kwargs):
            try:
                call(*args, **kwargs)
            except CoachError as error:
                return error.code
            return "ok"
        opened = services()
        identity = opened.identity
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(preamble) + textwrap.dedent(code)],
        env=environment(settings, **faked(library, shift)),
        capture_output=True, text=True, check=False, timeout=WHOLE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def opened(settings: Settings) -> Iterator[Services]:
    """The installation, on the true clock."""
    opened = open_services(settings)
    yield opened
    opened.close()


def test_sign_ins_tokens_and_locks_hold_as_long_as_they_should_and_no_longer(
    settings: Settings, library: Path, opened: Services
) -> None:
    email = "ada@example.org"
    identity = opened.identity
    identity.add_user(SYSTEM, email, "Ada", "admin", None, PASSWORD)
    session_id = identity.sign_in(email, PASSWORD)
    token, _ = identity.create_token(SYSTEM, email, "feed", ["transcripts:read"], days=1)
    kernel = str(ids.new_id())
    look = f"""
        print(json.dumps([
            code_of(identity.actor_of, ids.parse_id("{session_id}")),
            code_of(identity.actor_of_token, "{token}"),
        ]))
    """
    assert at(settings, library, "+25h", look) == ["COACH-IDN-002", "COACH-IDN-012"]
    assert at(settings, library, "-25h", look) == ["ok", "ok"]
    assert identity.actor_of(session_id).name == "Ada"

    # a day ahead: the account is locked, a page opened, a ticket issued
    ahead = f"""
        for _ in range(6):
            code_of(identity.sign_in, "{email}", "wrong")
        session_id = identity.redeem_link(identity.sign_in_link(SYSTEM, "{email}"))
        for _ in range(5):
            code_of(identity.sign_in, "{email}", "wrong")
        identity.claim_kernel(identity.issue_ticket(session_id, "overview", 2), "{kernel}")
        identity.issue_ticket(session_id, "overview", 2)
        print(json.dumps([code_of(identity.sign_in, "{email}", "{PASSWORD}"), str(session_id)]))
    """
    locked, later_session = at(settings, library, "+25h", ahead)
    assert locked == "COACH-IDN-001"
    # and back: nobody waits for tomorrow
    assert identity.sign_in(email, PASSWORD)
    mine = uuid.UUID(later_session)
    assert identity.actor_of(mine).name == "Ada"
    assert identity.issue_ticket(mine, "overview", 2)
    assert identity.kernels_to_reap(30.0) == []  # its time is set to now …
    ended = at(
        settings, library, "+1h", "print(json.dumps(identity.kernels_to_reap(30.0)))"
    )  # … so that it ends when its grace is over
    assert ended == [kernel]


def test_a_page_that_is_open_outlives_a_jump(
    settings: Settings, library: Path, opened: Services
) -> None:
    identity = opened.identity
    identity.add_user(SYSTEM, "ada@example.org", "Ada", "admin", None, PASSWORD)
    session_id = identity.sign_in("ada@example.org", PASSWORD)
    kernel = str(ids.new_id())
    identity.claim_kernel(identity.issue_ticket(session_id, "overview", 2), kernel)
    identity.touch_kernels([kernel])
    look = f"print(json.dumps(identity.kernels_to_reap(30.0, connected=['{kernel}'])))"
    assert at(settings, library, "+2h", look) == []


def test_a_breaker_that_opened_ahead_of_time_lets_calls_through_again(
    settings: Settings, library: Path, opened: Services
) -> None:
    from coachops.ai.shared import SharedState
    from coachops.ai.targets import Target

    make = """
        from pydantic import SecretStr
        from coachops.ai.shared import SharedState
        from coachops.ai.targets import Target
        from coachops.resilience.circuit_breaker import Ended
        target = Target("http://127.0.0.1:1/v1", SecretStr("k"), "m")
        state = SharedState(opened.database)
    """
    trip = (
        make
        + """
        guard = state.guard(target)
        tries = 0
        while state.next_try(target.name) == 0 and tries < 100:
            leave = guard.admit(0, first=True)
            guard.settle(leave, Ended.FAILED, 0, code="COACH-AI-003")
            tries += 1
        print(json.dumps([tries, state.next_try(target.name)]))
    """
    )
    tries, wait = at(settings, library, "+1d", trip)
    assert tries < 100
    assert wait > 0
    from pydantic import SecretStr

    state = SharedState(opened.database)
    name = Target("http://127.0.0.1:1/v1", SecretStr("k"), "m").name
    assert state.next_try(name) < 300
    assert opened.database.is_sqlite


def test_the_audit_record_stays_one_chain(
    settings: Settings, library: Path, opened: Services
) -> None:
    act = """
        from coachops import audit
        opened.database.run(lambda session: audit.record(session, SYSTEM, "test.done", "row", 1))
        print(json.dumps(audit.seal(opened.database)))
    """
    for shift in ("+1d", "-1d"):
        assert at(settings, library, shift, act) == 1
    opened.database.run(lambda session: audit.record(session, SYSTEM, "test.done", "row", 1))
    assert audit.seal(opened.database) == 1
    report = audit.verify(opened.database)
    assert report.intact
    assert report.checked == 3


def until(holds: Callable[[], bool], log: list[str]) -> None:
    """Wait for what the worker brings about; a failure shows the end of its log."""
    patience.until(holds, said=lambda: "\n".join(log[-40:]))


@contextmanager
def worker(settings: Settings, library: Path, shift: Path) -> Iterator[list[str]]:
    """`coachops worker` whose clock follows the file `shift`; yields its log."""
    log: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=environment(settings, **faked(library, shift)),
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        reader = threading.Thread(target=log.extend, args=(process.stderr,))
        reader.start()
        try:
            yield log
            assert process.poll() is None, "\n".join(log[-40:])
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join()


@pytest.mark.long
def test_background_work_goes_on_over_jumps_and_sends_nothing_twice(
    settings: Settings,
    library: Path,
    opened: Services,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    shift = tmp_path / "shift"
    shift.write_text("+0\n")
    pair = make_pair(opened.database)
    sent = 0
    with worker(settings, library, shift) as log:
        for jump in ("+1d", "-1d", "+0", "-1d", "+1d", "+0")[: fault_runs(2, 6)]:
            new = shift.with_suffix(".new")
            new.write_text(f"{jump}\n")
            new.replace(shift)  # never read half-written
            log.append(f"clock {jump}")
            _one_session(opened, pair, log)
            sent += 1
            letters = list(settings.outbox.rglob("*.eml"))
            assert len(letters) == sent
    with opened.database.read() as session:
        states = list(session.scalars(sa.select(Message.state)))
        analyses = session.scalar(sa.select(sa.func.count()).select_from(Analysis))
    assert states == ["sent"] * sent
    assert analyses == sent
    assert len(list(settings.outbox.rglob("*.eml"))) == sent


def _one_session(opened: Services, pair: Pair, log: list[str]) -> None:
    """A session comes in, is analysed and drafted; its letter is approved and sent."""
    transcript_id = make_transcript(opened.database, pair)

    def drafted() -> uuid.UUID | None:
        with opened.database.read() as session:
            return session.scalar(
                sa.select(Message.id)
                .join(Transcript, Transcript.session_id == Message.session_id)
                .where(Transcript.id == transcript_id)
            )

    until(lambda: drafted() is not None, log)
    message_id = drafted()
    assert message_id is not None
    row = messages.get(opened.database, pair.actor, message_id)
    messages.approve(opened.database, pair.actor, row.id, row.version)
    until(lambda: messages.get(opened.database, pair.actor, row.id).state == "sent", log)
