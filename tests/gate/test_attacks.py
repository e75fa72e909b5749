"""Attacks on the gate: each was possible, or nearly, in some design that was tried before.

Proof that these tests bite: with the comparison `web_session_id == session_id` removed from
`Kernels.owns_kernel`, `test_nobody_reaches_the_kernel_of_somebody_else` fails on every line.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.dashboards.identity import claim
from coachops.db.models import KernelTicket
from tests.gate.conftest import Gated, Tab
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def anna(gated: Gated) -> Iterator[Tab]:
    """An open page of coach A, on a warm kernel."""
    context = gated.context("coach_a")
    yield gated.open(context)
    context.close()


@pytest.fixture(scope="module")
def ben(gated: Gated) -> Iterator[Tab]:
    """An open page of coach B, on a kernel started on demand."""
    context = gated.context("coach_b")
    yield gated.open(context, "cold")
    context.close()


_SOCKET_FROM_THE_CONSOLE = """kernel => new Promise(done => {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/app/api/kernels/${kernel}/channels?session_id=z`);
  socket.onopen = () => done("open");
  socket.onclose = event => done(`closed ${event.code}`);
})"""

_FORGED_FRAMES = """([kernel, model]) => new Promise(done => {
  const got = [];
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/app/api/kernels/${kernel}/channels?session_id=forge`);
  const send = (channel, msg_type, content) => socket.send(JSON.stringify({
    channel, content, metadata: {}, parent_header: {}, buffers: [],
    header: {msg_id: crypto.randomUUID(), msg_type, session: "forge", username: "x", version: "5.3", date: new Date().toISOString()},
  }));
  socket.onmessage = event => got.push(typeof event.data === "string" ? event.data : "binary");
  socket.onopen = () => {
    const code = "print('PW' + 'NED')";
    for (const channel of ["shell", "control", "stdin", "iopub"])
      send(channel, "execute_request", {code, silent: false, store_history: false, user_expressions: {a: code}, allow_stdin: false});
    send("control", "debug_request", {type: "request", command: "evaluate", arguments: {expression: "1"}});
    send("shell", "complete_request", {code: "actor.", cursor_pos: 6});
    send("shell", "inspect_request", {code: "actor", cursor_pos: 5, detail_level: 1});
    send("shell", "history_request", {hist_access_type: "tail", n: 10, output: true, raw: true});
    send("shell", "is_complete_request", {code});
    send("shell", "comm_msg", {comm_id: model, data: {method: "update", state: {value: "client-b1"}, buffer_paths: []}});
    setTimeout(() => { socket.close(); done(got); }, 1500);
  };
})"""


def test_each_person_sees_their_own_data_and_the_page_asks_nobody_else(
    gated: Gated, anna: Tab, ben: Tab
) -> None:
    assert "Anna Alder" in anna.live
    assert "Ben Birch" in ben.live
    assert "Ben Birch" not in anna.page.content()
    assert "leaks=[]" in anna.live  # no token, ticket or foreign secret in the environment
    assert anna.errors == []
    outside = [
        url
        for url in anna.requests
        if not url.startswith((gated.suite.url, "data:", "blob:", gated.suite.url))
    ]
    assert outside == []
    assert len(anna.requests) > 20  # the list above is not empty for want of recording


def test_nobody_reaches_the_kernel_of_somebody_else(gated: Gated, anna: Tab, ben: Tab) -> None:
    kernel, cookie = ben.kernel, gated.cookie("coach_a")
    assert gated.ask(f"/app/api/kernels/{kernel}", cookie=cookie)[0] == 404
    assert gated.socket(f"/app/api/kernels/{kernel}/channels?session_id=x", cookie=cookie) == 403
    assert gated.ask(f"/app/voila/api/shutdown/{kernel}", "POST", cookie=cookie)[0] == 404
    assert anna.page.evaluate(_SOCKET_FROM_THE_CONSOLE, kernel) == "closed 1006"
    assert anna.page.evaluate(_SOCKET_FROM_THE_CONSOLE, anna.kernel) == "open"
    assert gated.ask(f"/app/api/kernels/{kernel}", cookie=gated.cookie("coach_b"))[0] == 200
    ben.ticks()


def test_another_sign_in_of_the_same_person_is_somebody_else(gated: Gated, anna: Tab) -> None:
    kernel = anna.kernel
    second = gated.sign_in("coach_a")
    assert gated.ask(f"/app/api/kernels/{kernel}", cookie=second)[0] == 404
    assert gated.socket(f"/app/api/kernels/{kernel}/channels", cookie=second) == 403


def test_without_a_sign_in_there_is_nothing(gated: Gated, anna: Tab) -> None:
    kernel = anna.kernel
    for path in (
        f"/app/api/kernels/{kernel}/channels",
        f"/app/voila/query/{kernel}",
        f"/app/voila/execution/{kernel}",
    ):
        assert gated.socket(path) == 403
        if "channels" not in path:
            assert gated.socket(path, cookie=gated.cookie("coach_a")) == 403
    status, headers, _ = gated.ask("/app/dash")
    assert (status, headers["location"]) == (303, "/login?next=/app/dash")
    for path in (
        "/app/voila/static/voila.js",
        f"/app/api/kernels/{kernel}",
        "/app/nothing",
        "/v1/me",
        f"/v1/transcripts/{kernel}",
    ):
        assert gated.ask(path)[0] == 401, path
    assert gated.ask("/guide/")[0] == 303
    assert gated.ask("/account")[0] == 401
    forged = gated.cookie("coach_a")[:-2] + "xx"
    assert gated.ask("/app/voila/static/voila.js", cookie=forged)[0] == 401


def test_paths_that_are_not_listed_do_not_exist(gated: Gated, anna: Tab) -> None:
    kernel, cookie = anna.kernel, gated.cookie("coach_a")
    paths = [
        "/app/voila/tree", "/app/voila/tree/nb", "/app/voila/render/dash.ipynb",
        "/app/voila/render/admin.ipynb", "/app/voila/render/nb/../dash.ipynb",
        "/app/voila/files/dash.ipynb", "/app/voila/files/toy.py", "/app/voila/api/contents",
        "/app/voila/api/contents/dash.ipynb", "/app/api/kernels", "/app/api/kernelspecs",
        "/app/login", "/app/logout", "/app/voila/static/../render/dash.ipynb",
        "/app/voila/static/%2e%2e/render/dash.ipynb",
        "/app/voila/static/..%2frender%2fdash.ipynb", "/app//voila/render/dash.ipynb",
        "/app/voila/templates/../../../../etc/passwd", "/app/dash.ipynb", "/app/dash/",
        "/app/%64ash", "/app/%61dmin", "/app/admin%00", "/app/%64ash/../admin",
        f"/app/voila/query/{kernel}", f"/app/api/kernels/{kernel}/restart",
        f"/app/api/kernels/{kernel}/", f"/app/api/kernels/{kernel.upper()}",
        "/app/voila/static/a%00b", "/app/voila/static//voila.js",
    ]  # fmt: skip
    answers = {path: gated.ask(path, cookie=cookie)[0] for path in paths}
    assert {path: status for path, status in answers.items() if status != 404} == {}


def test_sockets_open_for_pages_of_this_origin_only(gated: Gated, anna: Tab) -> None:
    path = f"/app/api/kernels/{anna.kernel}/channels?session_id=q"
    cookie = gated.cookie("coach_a")
    port = gated.host.rpartition(":")[2]
    for origin in (
        "http://evil.example", "null", None, "http://localhost:1", f"https://localhost:{port}",
        f"http://localhost:{port}.evil.example", f"http://127.0.0.1:{port}",
        f"http://LOCALHOST:{port}",
    ):  # fmt: skip
        assert gated.socket(path, cookie=cookie, origin=origin) == 403, origin
    assert gated.socket(path, cookie=cookie) == 101


def test_roles_hosts_origins_and_methods_are_checked(gated: Gated, anna: Tab) -> None:
    cookie, admin = gated.cookie("coach_a"), gated.cookie("admin")
    kernel = anna.kernel
    assert gated.ask("/app/admin", cookie=cookie)[0] == 403
    assert gated.ask("/app/dash", cookie=admin)[0] == 403
    assert gated.ask("/app/dash", cookie=gated.cookie("analyst"))[0] == 403
    for host in ("evil.example", "127.0.0.1", f"evil.example:{gated.host.rpartition(':')[2]}"):
        assert gated.ask("/app/dash", cookie=cookie, host=host)[0] == 421, host
        assert gated.ask("/login", host=host)[0] == 421, host
    for origin in (None, "null", "http://evil.example"):
        assert gated.ask("/logout", "POST", cookie=cookie, origin=origin, form={})[0] == 403
        assert gated.ask("/login", "POST", origin=origin, form={"email": "x"})[0] == 403
    assert gated.ask(f"/app/api/kernels/{kernel}", "DELETE", cookie=cookie)[0] == 405
    assert gated.ask("/app/dash", "POST", cookie=cookie)[0] == 405
    assert gated.ask("/app/dash", cookie=cookie, headers={"X-Kernel-Ticket": "mine"})[0] == 200


def test_forged_frames_run_nothing_and_forged_values_meet_the_ownership_check(
    anna: Tab,
) -> None:
    anna.page.fill("input[type=text]", "client-a1")
    anna.says("FOUND Name client-a1")
    echoes = [frame for frame in anna.frames if "client-a1" in frame and "echo_update" in frame]
    found = re.search(r'"comm_id":\s*"([0-9a-f]{32})"', echoes[-1])
    assert found
    got = anna.page.evaluate(_FORGED_FRAMES, [anna.kernel, found[1]])
    text = " ".join(got)
    assert "PWNED" not in text
    replies = {json.loads(each)["header"]["msg_type"] for each in got if each.startswith("{")}
    assert not {reply for reply in replies if reply.endswith("_reply")} - {"kernel_info_reply"}
    assert "execute_result" not in replies
    anna.says("DENIED COACH-CCH-001")
    anna.ticks()


def test_no_ticket_and_no_token_reaches_a_browser(gated: Gated, anna: Tab, ben: Tab) -> None:
    seen = " ".join(
        [anna.html, anna.page.content(), *anna.frames, ben.html, ben.page.content(), *ben.frames]
    )
    secret = json.loads((gated.runtime() / "runtime.json").read_text())["voila_token"]
    assert len(secret) > 40
    assert secret not in seen
    with gated.database.read() as session:
        issued = set(session.scalars(sa.select(KernelTicket.token_hash)))
    assert issued
    assert not _hashes_of_words(seen) & issued
    planted = gated.identity.issue_ticket(_session_of(gated, "coach_a"), "dash", 50)
    with gated.database.read() as session:
        issued = set(session.scalars(sa.select(KernelTicket.token_hash)))
    assert _hashes_of_words(f'{seen} "{planted}"') & issued  # the search would have found it
    gated.identity.discard_ticket(planted)


def _hashes_of_words(text: str) -> set[str]:
    """The hashes of everything in `text` that could be a ticket (43 letters of base64)."""
    words = set()
    for run in set(re.findall(r"[A-Za-z0-9_-]{43,200}", text)):
        words |= {run[start : start + 43] for start in range(len(run) - 42)}
    return {hashlib.sha256(word.encode()).hexdigest() for word in words}


def _session_of(gated: Gated, who: str) -> uuid.UUID:
    session_id = gated.identity.session_from_cookie(gated.cookie(who))
    assert session_id is not None
    return session_id


def test_claims_work_once_and_never_for_a_kernel_that_is_taken(
    gated: Gated, ben: Tab, other_kernel: str
) -> None:
    path = gated.runtime() / "claim.sock"
    assert path.stat().st_mode & 0o777 & 0o077 == 0 or gated.runtime().stat().st_mode & 0o077 == 0
    ticket = gated.identity.issue_ticket(_session_of(gated, "coach_a"), "dash", 50)
    for kernel in (ben.kernel, other_kernel, ben.kernel):  # the first try burns it
        with pytest.raises(CoachError) as caught:
            claim(path, ticket, kernel)
        assert caught.value.code == "COACH-IDN-013"
    fresh = gated.identity.issue_ticket(_session_of(gated, "coach_a"), "dash", 50)
    assert claim(path, fresh, other_kernel).name == "Anna Alder"
    with pytest.raises(CoachError):
        claim(path, fresh, other_kernel)
    assert "Ben Birch" in ben.live
    gated.identity.kernel_ended(other_kernel)


@pytest.mark.parametrize(
    "line",
    [b"\n", b"[]\n", b'{"ticket": 1}\n', b"x" * 5000 + b"\n", b'{"ticket": "a', b"\xff\xfe\n"],
)
def test_the_private_listener_survives_nonsense(gated: Gated, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(gated.runtime() / "claim.sock"))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert b"actor" not in answer
