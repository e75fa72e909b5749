"""How long backup, drill and restore of about 100 MB take, and whether every changed byte is found.

The peer is what a person would do by hand: `VACUUM INTO`, zstd, age, and back, with nothing compared.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coachops.backup import Backups
    from coachops.core.settings import Settings

SESSIONS, UTTERANCES = 3_400, 60
SWEEP = 400
"""Positions tried in each file that is too long to try all."""
ALL_BELOW = 1_500
"""Bytes up to which every position of a file is tried."""


def main() -> list[dict[str, object]]:
    """Seconds per 100 MB of database, each against the work by hand; and the corruption sweep."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _installation(folder, SESSIONS) as (settings, backups):
            size = (settings.home / "coachops.db").stat().st_size / 100e6
            made = _seconds(backups.run) / size
            drill = backups.drill()
            if not drill.passed:
                raise RuntimeError(f"the drill failed: {drill.reasons}")
            drilled = (drill.rto_seconds or 0.0) / size
            restored = _seconds(lambda: backups.restore(folder / "new")) / size
            hand_there, hand_back = _by_hand(settings.home / "coachops.db", folder)
        with _installation(folder / "small", 12) as (settings, backups):
            tried, found = _sweep(settings, backups)
    return [
        _row("backup of 100 MB", made, f"by hand {hand_there / size:.1f} s", hand_there / size, ""),
        _row(
            "restore of 100 MB (RTO)", restored, f"by hand {hand_back / size:.1f} s",
            hand_back / size, "target: <= 60 s; every table is compared",
        ),
        _row(
            "drill of 100 MB (RTO measured)", drilled, f"by hand {hand_back / size:.1f} s",
            hand_back / size, f"{drill.rows:,} rows, {drill.tables} tables compared",
        ),
        {
            "name": "changed bytes of a backup found", "value": found / tried * 100, "unit": "%",
            "peer": f"{tried} changes, one byte each", "ratio": found / tried,
            "note": "target: 100 %; verify, and the same check before every drill and restore",
        },
    ]  # fmt: skip


def _row(name: str, value: float, peer: str, peer_value: float, note: str) -> dict[str, object]:
    return {
        "name": name, "value": value, "unit": "s", "peer": peer, "ratio": value / peer_value,
        "note": note,
    }  # fmt: skip


@contextlib.contextmanager
def _installation(folder: Path, sessions: int) -> Iterator[tuple[Settings, Backups]]:
    from coachops.bootstrap import prepare, services
    from coachops.coaching.seed import seed_organisation
    from coachops.core.settings import load_settings

    place = folder / "place"
    place.mkdir(parents=True)
    settings = load_settings(home=folder / "home", storage_url=str(place))
    prepare(settings)
    opened = services(settings)
    try:
        seed_organisation(
            opened.database, coaches=10, clients=100, sessions=sessions,
            utterances_per_session=UTTERANCES, seed=1, until=dt.date(2026, 11, 1),
        )  # fmt: skip
        yield settings, opened.backups
    finally:
        opened.close()


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _by_hand(database: Path, folder: Path) -> tuple[float, float]:
    """Seconds to copy, pack and seal the file, and to open and unpack it again."""
    import pyrage
    import zstandard

    key = pyrage.x25519.Identity.generate()
    copy, packed, sealed = (folder / f"hand.{name}" for name in ("db", "zst", "age"))

    def there() -> None:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with copy.open("rb") as source, packed.open("wb") as target:
            zstandard.ZstdCompressor().copy_stream(source, target)
        pyrage.encrypt_file(str(packed), str(sealed), [key.to_public()])

    def back() -> None:
        pyrage.decrypt_file(str(sealed), str(packed), [key])
        with packed.open("rb") as source, copy.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA integrity_check").fetchall()

    return _seconds(there), _seconds(back)


def _sweep(settings: Settings, backups: Backups) -> tuple[int, int]:
    """Change one byte at a time in every file of a backup; how many changes, how many were found."""
    backups.run()
    top = Path(settings.storage_url) / "backups"
    chance = random.Random(1)  # noqa: S311 positions to try, no secret
    tried = found = 0
    for path in sorted(each for each in top.rglob("*") if each.is_file()):
        whole = path.read_bytes()
        places = range(len(whole))
        if len(whole) > ALL_BELOW:
            places = chance.sample(places, min(SWEEP, len(whole)))
        for position in places:
            changed = bytearray(whole)
            changed[position] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            tried += 1
            found += bool(backups.verify()[1])
        path.write_bytes(whole)
    row, problems = backups.verify()
    if problems:
        raise RuntimeError(f"{row.id} is not whole again: {problems}")
    return tried, found
