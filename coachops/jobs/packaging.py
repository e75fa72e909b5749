"""The package that a client gets of their own data (Art. 15 and 20 GDPR).

    READ-ME.html      what is inside, in plain words
    data/             an export limited to the client: JSON, and CSV that spreadsheets open
    transcripts/      the files as they were uploaded
    SHA256SUMS        `sha256sum -c` checks every file

Of others only what belongs to the client's own record is inside: the name and address of the coach.
Rows of other clients never are: the filter is that of every export. A coach may have left out lines to
protect somebody else, which the uploaded file still holds: without `originals` it stays here.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import people
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.db import Database
from coachops.db.models import CoachingSession, Transcript
from coachops.export import DATASETS, run_export
from coachops.export.issued import ExportRequest, Owner, check_request
from coachops.export.publishing import draft_folder, finish
from coachops.jobs.here import make_here

if TYPE_CHECKING:
    from coachops.bootstrap import Services

_NOT_OF_CLIENTS = {"activity", "audit_events"}
_UNSAFE = re.compile(r"[^\w.-]+")
_NAME_BYTES = 200
"""Of the name of an uploaded file: file systems take 255 in all."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was made.

    Attributes:
        rows: by dataset; those without any are left out.
        transcripts: uploaded files.
        export_id: under which the export is registered.
    """

    folder: Path
    client_id: uuid.UUID
    export_id: str
    rows: dict[str, int]
    transcripts: int
    files: int


def make_package(
    services: Services, actor: Actor, ref: str, out: Path, *, originals: bool = True
) -> Package:
    """Write a client's package into the new folder `out`.

    Parameters:
        ref: e-mail, external id or id.
        originals: with the files as they were uploaded.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin; COACH-CCH-001; COACH-EXP-003, -006;
            COACH-EXP-044 where the client was erased meanwhile: then nothing is left of it.
    """
    actor.require_role("admin", what="packages of clients' data")
    database = services.database
    with database.read() as session:
        client = people.find_client(session, actor, ref)
        client_id, name = client.id, client.name
    request = check_request(
        database,
        actor,
        formats=["json", "csv"],
        datasets=[each for each in DATASETS if each not in _NOT_OF_CLIENTS],
        clients=[str(client_id)],
        csv_profile="excel",
    )
    copied = files = 0

    def make(export_id: str) -> dict[str, Any]:
        nonlocal copied, files
        with draft_folder(out) as folder:
            manifest = _export(services, actor, request, folder / "data", export_id)
            if originals:
                copied = _copy_originals(database, client_id, folder / "transcripts")
            page = _read_me(services.settings.organisation, name, manifest, copied)
            (folder / "READ-ME.html").write_text(page, encoding="utf-8")
            files = _write_sums(folder)
            _record(database, actor, client_id, export_id, copied)
            whole = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
            finish(folder, out.absolute(), whole)
        return manifest

    manifest = make_here(
        services, Owner.of(actor), request, out / "data", make, lambda _: _remove(out)
    )
    rows = {each["name"]: each["rows"] for each in manifest["datasets"] if each["rows"]}
    return Package(out, client_id, manifest["export_id"], rows, copied, files)


def _remove(out: Path) -> None:
    if out.exists():
        shutil.rmtree(out)


def _export(
    services: Services, actor: Actor, request: ExportRequest, out: Path, export_id: str
) -> dict[str, Any]:
    return run_export(
        services.database,
        actor,
        out,
        request.formats,
        request.datasets,
        clients=request.clients,
        csv_profile=request.csv_profile,
        key=services.signing_key,
        zone=services.settings.zone,
        export_id=export_id,
    )


def _copy_originals(database: Database, client_id: uuid.UUID, folder: Path) -> int:
    folder.mkdir(mode=0o700)
    with database.read() as session:
        rows = session.execute(
            sa.select(CoachingSession.held_on, Transcript.source_name, Transcript.original)
            .join(CoachingSession, CoachingSession.id == Transcript.session_id)
            .where(Transcript.client_id == client_id)
            .order_by(CoachingSession.held_on, Transcript.created_at, Transcript.id)
            .execution_options(yield_per=1)
        )
        count = 0
        for count, (held_on, source_name, original) in enumerate(rows, 1):
            safe = _UNSAFE.sub("_", source_name).strip("._") or "transcript"
            safe = safe.encode()[-_NAME_BYTES:].decode(errors="ignore")  # keeps how it ends
            (folder / f"{held_on}-{count:03d}-{safe}").write_bytes(original)
    return count


def _write_sums(folder: Path) -> int:
    """Digests of all files as `sha256sum` prints them; returns how many files there are."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return len(paths) + 1


def _record(
    database: Database, actor: Actor, client_id: uuid.UUID, export_id: str, transcripts: int
) -> None:
    def work(session: Session) -> None:
        audit.record(
            session, actor, "package.made", "client", client_id,
            export_id=export_id, transcripts=transcripts,
        )  # fmt: skip

    database.run(work)


def _read_me(organisation: str, name: str, manifest: dict[str, Any], transcripts: int) -> str:
    from jinja2 import Environment  # noqa: PLC0415 only here

    template = Environment(autoescape=True).from_string(_PAGE)
    datasets = [
        (each["name"], DATASETS[each["name"]].description, each["rows"])
        for each in manifest["datasets"]
        if each["rows"]
    ]
    return template.render(
        organisation=organisation, name=name, datasets=datasets, transcripts=transcripts,
        day=clock.now().date().isoformat(),
    )  # fmt: skip


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Your data at {{ organisation }}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .3rem 1rem .3rem 0 }
</style>
<h1>Your data at {{ organisation }}</h1>
<p>{{ name }}, this folder holds what {{ organisation }} keeps about you from your coaching, as it was
on {{ day }}.</p>
<h2>What is inside</h2>
<table>
<tr><th>Part</th><th>What it is</th><th>Entries</th></tr>
{% for part, meaning, rows in datasets -%}
<tr><td>{{ part }}</td><td>{{ meaning }}</td><td>{{ rows }}</td></tr>
{% endfor -%}
{% if transcripts -%}
<tr><td>transcripts</td><td>The files of your sessions, as they were uploaded.</td>
<td>{{ transcripts }}</td></tr>
{% endif -%}
</table>
<h2>How to read it</h2>
<ul>
<li><b>With a spreadsheet</b>: open the files that end in <code>.csv</code> in
<code>data/data</code>.</li>
<li><b>With a program</b>: take the files that end in <code>.json</code>; what each field means stands
in <code>data/schemas</code>.</li>
<li><b>The transcripts</b> open with any text editor or with what made them.</li>
<li><b>Whether nothing was changed</b>: <code>sha256sum -c SHA256SUMS</code>.</li>
</ul>
<h2>Whose data it is</h2>
<p>It is yours. You may keep it, pass it on, or give it to another organisation. The name of your coach
is inside, since it belongs to your record; nothing of other clients is. What you said about other
people in a session is inside, too: think of them before you pass it on.</p>
<p>You may ask {{ organisation }} to correct it, to delete it, or to stop using it.</p>
</html>
"""
