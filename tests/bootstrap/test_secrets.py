"""Secrets of the installation: made once, whoever comes first, readable by the owner only."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

from coachops.bootstrap.secrets import secret_file


def test_many_threads_at_once_get_the_same_secret(home: Path) -> None:
    for round_ in range(20):
        found: list[bytes] = []
        start = threading.Barrier(8)

        def take(name: str = f"s{round_}", into: list[bytes] = found) -> None:
            start.wait()  # noqa: B023 joined within the round
            into.append(secret_file(home, name))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1
        assert len(found[0]) >= 32


def test_only_the_owner_can_read_it_and_nothing_else_is_left(home: Path) -> None:
    secret = secret_file(home, "cookie")
    path = home / "secrets" / "cookie"
    assert path.read_bytes() == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["cookie"]
