"""The keys of the backups: one pair of the installation's own, and the copy that lies elsewhere.

Sealing needs the public key only. Where `COACHOPS_BACKUP_RECIPIENTS` is empty a pair is made once,
in `secrets/` (`backup.key`, mode 0600, and `backup.pub`). If the secret half is lost, backups go on
for the public one: its escrow copy opens them. The key itself is in no backup.
Drills use the escrow copy where `COACHOPS_BACKUP_ESCROW` names it, so that a lost or changed copy is
found while the installation still lives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coachops import files
from coachops.backup.sealing import Keys, fingerprint, identities_in, new_identity, public_keys
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.core.settings import Settings

_PRIVATE: Final = "backup.key"
_PUBLIC: Final = "backup.pub"
_OLDER: Final = "backup-{}.key"


def is_key_file(name: str) -> bool:
    """Whether a file of the secrets folder holds a secret backup key: such files are in no backup."""
    return name.startswith(".") or (name.startswith("backup") and name.endswith(".key"))


class KeyRing:
    """The keys of one installation.

    Parameters:
        settings: name recipients and the escrow copy.
        secrets: the folder of the installation's secrets.
    """

    def __init__(self, settings: Settings, secrets: Path) -> None:
        self._settings = settings
        self._secrets = secrets

    @property
    def own(self) -> bool:
        """Whether the installation uses a pair of its own."""
        return not self._settings.backup_recipients.strip()

    def recipients(self, known: Sequence[str] = ()) -> tuple[str, ...]:
        """Whom to seal for; a pair is made where there has never been one.

        Parameters:
            known: recipients of the newest backup: they go on where the files of the pair are gone.
        """
        if not self.own:
            return tuple(self._settings.backup_recipients.replace(",", " ").split())
        stated = self.stated()
        if stated:
            return stated
        if known:
            return tuple(known)
        return (self._make(),)

    def stated(self) -> tuple[str, ...]:
        """The public keys that settings or files name; none before the first backup."""
        if not self.own:
            return tuple(self._settings.backup_recipients.replace(",", " ").split())
        with contextlib.suppress(OSError):
            return tuple((self._secrets / _PUBLIC).read_text().split())
        with contextlib.suppress(OSError):
            return public_keys(identities_in((self._secrets / _PRIVATE).read_text()))
        return ()

    def at_hand(self) -> tuple[str, ...]:
        """Every secret key on this machine, older ones included; may be none."""
        found: list[str] = []
        for path in sorted(self._secrets.glob("backup*.key")):
            with contextlib.suppress(OSError, CoachError, UnicodeDecodeError):
                found.extend(identities_in(path.read_text()))
        return tuple(found)

    def for_drill(self) -> tuple[Keys, bool]:
        """The keys to open with in a drill, and whether they are the escrow copy.

        Raises:
            CoachError: COACH-BKP-008 where the copy, or without one the machine's key, is gone.
        """
        escrow = self._settings.backup_escrow.strip()
        if escrow:
            return Keys((), read_identities(Path(escrow).expanduser())), True
        if not self.own:
            raise CoachError(
                "COACH-BKP-008",
                reason="COACHOPS_BACKUP_RECIPIENTS is set, and no escrow copy is named to drill with",
            )
        return Keys((), read_identities(self._secrets / _PRIVATE)), False

    def for_restore(self, file: Path | None) -> Keys:
        """The keys to restore with: those of `file`, else the escrow copy and the machine's own.

        Raises:
            CoachError: COACH-BKP-008 where there are none.
        """
        if file is not None:
            return Keys((), read_identities(file))
        found = self.at_hand()
        escrow = self._settings.backup_escrow.strip()
        if escrow:
            with contextlib.suppress(CoachError):
                found += read_identities(Path(escrow).expanduser())
        if not found:
            raise CoachError(
                "COACH-BKP-008", reason="no key is on this machine; give it with --key"
            )
        return Keys((), found)

    def export(self, file: Path, *, forbidden: Sequence[Path]) -> str:
        """Write the copy for escrow (mode 0600); returns the fingerprint of its public key.

        Raises:
            CoachError: COACH-BKP-019 where the file exists, or lies within `forbidden` folders;
                COACH-BKP-008 without a key.
        """
        if not self.own:
            raise CoachError(
                "COACH-BKP-019", reason="the secret keys of your own recipients are with you"
            )
        target = file.expanduser().resolve()
        for folder in forbidden:
            if target.is_relative_to(folder.resolve()):
                raise CoachError(
                    "COACH-BKP-019", reason=f"{folder} is where data or backups are; choose another"
                )
        self.recipients()
        identities = read_identities(self._secrets / _PRIVATE)
        public = public_keys(identities)
        text = (
            f"# coachops backup key, copied {clock.now():%Y-%m-%d}\n"
            f"# public key: {' '.join(public)}\n" + "\n".join(identities) + "\n"
        )
        try:
            files.write_new(target, text)
        except FileExistsError:
            raise CoachError("COACH-BKP-019", reason="a file of that name exists") from None
        except OSError as error:
            raise CoachError("COACH-BKP-019", reason=str(error.strerror).lower()) from error
        return fingerprint(public[0])

    def bring_back(self, file: Path, known: Sequence[str] = ()) -> str:
        """Put the escrow copy back as this machine's key; returns its fingerprint.

        Parameters:
            known: recipients of backups, where no public key is left on this machine.

        Raises:
            CoachError: COACH-BKP-008 not readable, COACH-BKP-019 not the copy of this key.
        """
        identities = read_identities(file)
        public = public_keys(identities)
        expected = self.stated() or tuple(known)
        if expected and not set(public) & set(expected):
            raise CoachError("COACH-BKP-019", reason="it belongs to another public key")
        there = self._secrets / _PRIVATE
        with contextlib.suppress(FileNotFoundError):
            if _text(there) != identities:
                there.rename(self._secrets / _OLDER.format(ids.new_id().hex))
        self._keep(identities)
        return fingerprint(public[0])

    def renew(self) -> str:
        """Make a new pair; the old secret key stays, to open older backups. Returns its fingerprint."""
        if not self.own:
            raise CoachError("COACH-BKP-019", reason="COACHOPS_BACKUP_RECIPIENTS names the keys")
        secret, public = self._secrets / _PRIVATE, self._secrets / _PUBLIC
        with contextlib.suppress(OSError, CoachError):
            old = public_keys(identities_in(secret.read_text()))
            secret.rename(self._secrets / _OLDER.format(fingerprint(old[0])))
        public.unlink(missing_ok=True)
        return fingerprint(self._make())

    def _make(self) -> str:
        identity = new_identity()
        self._keep((identity,))
        # another process may have been first: what lies there counts
        return public_keys(read_identities(self._secrets / _PRIVATE))[0]

    def _keep(self, identities: Sequence[str]) -> None:
        self._secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
        public = public_keys(identities)
        text = f"# public key: {' '.join(public)}\n" + "\n".join(identities) + "\n"
        with contextlib.suppress(FileExistsError):
            files.write_new(self._secrets / _PRIVATE, text)
        # what a second process finds is the pair of the first
        kept = public_keys(read_identities(self._secrets / _PRIVATE))
        with contextlib.suppress(FileExistsError):
            files.write_new(self._secrets / _PUBLIC, "\n".join(kept) + "\n")


def read_identities(file: Path) -> tuple[str, ...]:
    """The secret keys in a file.

    Raises:
        CoachError: COACH-BKP-008 where it is missing, not readable or holds none.
    """
    try:
        found = identities_in(file.read_text())
    except UnicodeDecodeError:
        found = ()
    except OSError as error:
        reason = f"{file} cannot be read: {(error.strerror or 'unknown').lower()}"
        raise CoachError("COACH-BKP-008", reason=reason) from error
    if not found:
        raise CoachError("COACH-BKP-008", reason=f"{file} holds no key")
    return found


def _text(file: Path) -> tuple[str, ...]:
    """The keys in a file that is there; none where they cannot be read."""
    if not file.exists():
        raise FileNotFoundError(file)
    with contextlib.suppress(CoachError):
        return read_identities(file)
    return ()
