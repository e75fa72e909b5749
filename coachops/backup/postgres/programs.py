"""Running PostgreSQL's programs and pgBackRest: where they lie, as whom they run, how they fail.

PostgreSQL refuses to run as root. Where coachops is root (tests, containers), its programs run as the
ordinary user who owns the data; elsewhere as the user of coachops.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachops.core.errors import CoachError

_KEPT = ("PGSSL", "PGPASSFILE", "PGGSS", "PGKRB")
"""Of libpq's variables, those that say how to prove who we are; never where to."""
_TEST = "/usr/bin/test"
_REASON = 300
"""Longest text of a program's failure that goes into an error, in characters."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Starts programs as one user of the operating system.

    Attributes:
        user: numeric id of that user and group; None: the user of this process.
        name: of the user, for commands that a person types; empty: this user.
    """

    user: tuple[int, int] | None = None
    name: str = ""

    @classmethod
    def ordinary(cls) -> Runner:
        """A user who may run a server: this one, or (for root) `postgres` or `nobody`."""
        if os.getuid() != 0:
            return cls()
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls((entry.pw_uid, entry.pw_gid), name)
        raise CoachError(
            "COACH-BKP-020", program="postgres", reason="there is no ordinary user to run it as"
        )

    @classmethod
    def owner_of(cls, folder: Path) -> Runner | None:
        """The owner of `folder`; None where this process may not act for that user."""
        try:
            state = folder.stat()
        except OSError:
            return None
        if state.st_uid == os.getuid():
            return cls()
        if os.getuid() != 0:
            return None
        try:
            name = pwd.getpwuid(state.st_uid).pw_name
        except KeyError:
            name = str(state.st_uid)
        return cls((state.st_uid, state.st_gid), name)

    def own(self, path: Path) -> None:
        """Give `path` to that user."""
        if self.user is not None:
            os.chown(path, *self.user)

    def make_folder(self, path: Path, mode: int = 0o700) -> Path:
        """Make `path` (its parents must exist) for that user only."""
        path.mkdir(mode=mode, exist_ok=True)
        self.own(path)
        return path

    def write(self, path: Path, text: str) -> Path:
        """Write a file that only that user can read."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        self.own(path)
        return path

    def require_entry(self, folder: Path) -> None:
        """See to it that the user can reach `folder`.

        Raises:
            CoachError: COACH-BKP-026.
        """
        done = subprocess.run(  # noqa: S603 our own arguments, no shell
            [_TEST, "-x", folder], check=False, cwd="/", **self.options()
        )
        if done.returncode:
            user = f"the user {self.name}" if self.name else "this user"
            raise CoachError("COACH-BKP-026", reason=f"{user} cannot enter {folder}")

    def options(self, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Keyword arguments of `subprocess` for that user."""
        options: dict[str, Any] = {"env": _environment(env or {})}
        if self.user is not None:
            options |= {"user": self.user[0], "group": self.user[1], "extra_groups": []}
        return options

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 6 * 3600,
        cwd: Path = Path("/"),
        accept: Sequence[int] = (0,),
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end and return what it printed.

        Raises:
            CoachError: COACH-BKP-020 when the program is not installed, fails or takes too long.
        """
        program = Path(command[0]).name
        if shutil.which(command[0]) is None:
            raise CoachError("COACH-BKP-020", program=program, reason="not installed")
        try:
            done = subprocess.run(  # noqa: S603 our own arguments, no shell
                tied(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=timeout, cwd=cwd, **self.options(env),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CoachError(
                "COACH-BKP-020", program=program, reason=f"no end after {timeout:.0f} s"
            ) from error
        if done.returncode not in accept:
            raise CoachError(
                "COACH-BKP-020", program=program, reason=reason_of(done.stderr + done.stdout)
            )
        return done


def tied(command: Sequence[str | Path]) -> list[str | Path]:
    """`command`, ended by the system when coachops dies: a killed backup does not go on alone."""
    setpriv = shutil.which("setpriv")  # util-linux; a fork hook would not be safe beside threads
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else [*command]


def reason_of(output: str) -> str:
    """The telling line of what a program printed, on one line and not too long."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("ERROR", "FATAL", "error:"))]
    chosen = (telling or lines or ["no message"])[0]
    return chosen[:_REASON].rstrip(".")


def find(name: str, major: int | None = None) -> Path:
    """A program of PostgreSQL of that major version: below /usr/lib/postgresql, else on PATH.

    Raises:
        CoachError: COACH-BKP-020 when it is not installed.
    """
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdecimal() else 0,
        reverse=True,
    )
    for folder in folders:
        if (major is None or folder.parent.name == str(major)) and (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if found is None:
        version = f" of PostgreSQL {major}" if major else ""
        raise CoachError("COACH-BKP-020", program=name + version, reason="not installed")
    return Path(found)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: nothing of ours that changes what it does, messages in English."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "COACHOPS_", "LC_", "LANG")) or name.startswith(_KEPT)
    }
    return kept | {"LC_ALL": "C.UTF-8"} | dict(more)
