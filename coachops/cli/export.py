"""`coachops export`: data as files that prove themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coachops.cli import exports_issued
from coachops.cli.export_progress import followed, show_far
from coachops.cli.exports_issued import show_issued
from coachops.cli.output import JsonOption, emit, opened, parse_date, progress, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.export.issued import Issued
    from coachops.jobs import Jobs

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Export data, follow exports, and verify them."""


exports_issued.add_to(app)


@app.command()
def run(
    out: Annotated[
        str | None, typer.Option(help="New or empty folder for the export, or s3://bucket/prefix.")
    ] = None,
    *,
    background: Annotated[
        bool,
        typer.Option(
            "--background",
            help="Let the worker make it; without --out, at the suite's own place for some days.",
        ),
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv, json, jsonl, parquet; may be repeated."),
    ] = None,
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Name; may be repeated. Default: all.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Day after the last, YYYY-MM-DD.")] = None,
    coaches: Annotated[
        list[str] | None, typer.Option("--coach", help="E-mail, external id or id.")
    ] = None,
    clients: Annotated[
        list[str] | None, typer.Option("--client", help="E-mail, external id or id.")
    ] = None,
    csv_profile: Annotated[
        str, typer.Option(help="lossless for machines, excel for people.")
    ] = "lossless",
    compression: Annotated[
        str, typer.Option(help="none, zstd or gzip, of text formats; Parquet has zstd inside.")
    ] = "none",
    privacy: Annotated[
        str | None,
        typer.Option(help="full, or pseudonymous: stable pseudonyms and no free text."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that read and write here; 0 chooses.", min=0, max=64)
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Export one moment of the database into a new folder; nothing appears unless it is whole.

    Days are those of the organisation's calendar. With --json the manifest is printed, and with
    --background what 'export status' prints. The folder is signed with this installation's key
    ('coachops export key').

    Example:  coachops export run --out exports/today --format csv --format json
    """
    from coachops.export.issued.places import is_url  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs import Jobs  # noqa: PLC0415 as above
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 as above

    if out is None and not background:
        raise CoachError("COACH-SYS-002", reason="Give --out FOLDER, or --background.")
    wanted: dict[str, Any] = {
        "formats": _split(formats) or ["csv"],
        "datasets": _split(datasets),
        "since": parse_date(since, "--since"),
        "until": parse_date(until, "--until"),
        "coaches": coaches or (),
        "clients": clients or (),
        "csv_profile": csv_profile,
        "privacy": privacy,
        "compression": compression,
    }
    with opened() as services, Jobs(services.settings, services) as jobs:
        if out is not None and not background and not is_url(out):
            manifest = _run_here(jobs, Path(out), wanted, workers)
        else:
            place = "" if out is None else out if is_url(out) else str(Path(out).absolute())
            export, _ = jobs.exports.start(SUITE, out=place, **wanted)
            if background:
                show_issued(export, as_json=as_json)
                return
            manifest = _run_as_job(jobs, export)

    def text() -> None:
        _print_manifest(out or "", manifest)

    emit(manifest, as_json=as_json, text=text)


def _run_here(jobs: Jobs, out: Path, wanted: dict[str, Any], workers: int) -> dict[str, Any]:
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task("Exporting", total=None)
        return jobs.exports.run_here(
            SUITE, out, workers=workers, watch=lambda far: show_far(bars, task, far), **wanted
        )


def _run_as_job(jobs: Jobs, export: Issued) -> dict[str, Any]:
    """Have this process make it as a worker does (a bucket takes parts); returns the manifest."""
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task(f"Exporting to {export.place[-40:]}", total=None)
        with followed(bars, task, lambda: jobs.exports.get(SUITE, str(export.id))):
            jobs.run_inline([jobs.exports.enqueue(export)])
    done = jobs.exports.get(SUITE, str(export.id))
    if done.error is not None:
        raise done.error
    size = done.file("manifest.json")["bytes"]
    manifest: dict[str, Any] = json.loads(
        b"".join(jobs.exports.read(done, "manifest.json", 0, size))
    )
    return manifest


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.")],
    *,
    key: Annotated[
        str | None,
        typer.Option(help="Fingerprint, or file with the public key, that must have signed it."),
    ] = None,
    source: Annotated[
        bool,
        typer.Option("--source", help="Compare with the database of this installation as well."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read every file of an export again and check every claim of its manifest.

    Exit code 1 where something differs; the file, the block and the row are named.

    Example:  coachops export verify exports/today --key 3f0c…
    """
    from coachops.export import require_intact, verify_export, verify_source  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task("Verifying", total=None)

        def show(what: str) -> None:
            bars.update(task, advance=1, description=what[-28:])

        digests: dict[str, list[str]] = {}
        checks = verify_export(folder, show, key=key, digests=digests)
        if source and all(check.ok for check in checks):
            with opened() as services:
                checks += verify_source(services.database, folder, show, digests=digests)
    bad = [check for check in checks if not check.ok]

    def text() -> None:
        for check in bad:
            block = f", block {check.block}" if check.block is not None else ""
            at = f", row {check.row}" if check.row is not None else ""
            typer.echo(f"{check.check}  {check.subject}{block}{at}: {check.detail}")
        if not bad:
            signature = next(c.detail for c in checks if c.check == "signature")
            typer.echo(f"Intact: {len(checks)} checks of {folder}, all passed.")
            typer.echo(f"Signature: {signature}.")

    emit({"ok": not bad, "folder": folder, "checks": checks}, as_json=as_json, text=text)
    if bad and as_json:
        raise typer.Exit(1)
    require_intact(folder, checks)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.")],
    *,
    into: Annotated[
        str, typer.Option(help="Empty database: sqlite:///FILE or postgresql://USER@HOST/NAME.")
    ],
    format_name: Annotated[
        str | None, typer.Option("--format", help="Load from this format. Default: the fastest.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Fingerprint, or file with the public key, that must have signed it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load an export into an empty database: one typed table per dataset, proved equal.

    The export is verified first; the digests of what the database holds must be those of the
    manifest, else nothing stays there. An installation of the suite is brought back by
    'coachops backup restore': exports hold no uploaded files, users or passwords.

    Example:  coachops export restore exports/today --into sqlite:///today.db
    """
    from coachops.export import restore_export  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task("Restoring", total=None)
        done = restore_export(
            folder, into, format_name=format_name, key=key,
            progress=lambda what: bars.update(task, advance=1, description=what[-28:]),
        )  # fmt: skip

    def text() -> None:
        table(["table", "rows", "digest"], [[d.name, f"{d.rows:,}", d.digest[:16]] for d in done])
        typer.echo("Every digest is that of the export.")

    emit({"folder": folder, "tables": done}, as_json=as_json, text=text)


@app.command()
def delta(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.")],
    *,
    into: Annotated[str, typer.Option(help="Folder or s3:// address for the tables.")],
    key: Annotated[
        str | None,
        typer.Option(help="Fingerprint, or file with the public key, that must have signed it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write an export as Delta Lake tables, one per dataset, each as a new version.

    For Spark, Databricks, Snowflake, Trino and DuckDB. The export is verified first.

    Example:  coachops export delta exports/today --into lake/coachops
    """
    from coachops.export import write_delta  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task("Writing", total=None)
        done = write_delta(
            folder, into, key=key,
            progress=lambda what: bars.update(task, advance=1, description=what[-28:]),
        )  # fmt: skip

    def text() -> None:
        table(["table", "rows", "version"], [[d.name, f"{d.rows:,}", d.version] for d in done])

    emit({"folder": folder, "into": into, "tables": done}, as_json=as_json, text=text)


@app.command("key")
def key_(as_json: JsonOption = False) -> None:
    """Print the public key that signs this installation's exports, and its fingerprint.

    Give the fingerprint to whoever receives exports, by another way than the exports themselves.

    Example:  coachops export key
    """
    with opened() as services:
        key = services.signing_key

    def text() -> None:
        typer.echo(key.public_pem.decode().rstrip())
        typer.echo(f"Fingerprint: {key.fingerprint}")

    emit(
        {"public_key": key.public_pem.decode(), "fingerprint": key.fingerprint},
        as_json=as_json, text=text,
    )  # fmt: skip


@app.command()
def schema(
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Name; may be repeated. Default: all.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="A released version of one dataset. Default: today's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the JSON Schema (2020-12) of datasets; one name prints that schema alone.

    Example:  coachops export schema --dataset utterances --version 1.0.0
    """
    from coachops.export import schema_documents  # noqa: PLC0415 imports SQLAlchemy

    names = _split(datasets)
    documents = schema_documents(names, version)
    emit(documents[names[0]] if len(names) == 1 else documents, as_json=as_json)


@app.command("datasets")
def datasets_(as_json: JsonOption = False) -> None:
    """List the datasets.

    Example:  coachops export datasets --json
    """
    from coachops.export import DATASETS  # noqa: PLC0415 imports SQLAlchemy

    rows: list[dict[str, Any]] = [
        {
            "name": dataset.name,
            "version": dataset.version,
            "description": dataset.description,
            "columns": [column.name for column in dataset.columns],
        }
        for dataset in DATASETS.values()
    ]

    def text() -> None:
        table(
            ["dataset", "version", "columns", "what"],
            [[r["name"], r["version"], len(r["columns"]), r["description"]] for r in rows],
        )

    emit({"datasets": rows}, as_json=as_json, text=text)


def _split(values: list[str] | None) -> list[str]:
    """`--format csv --format json` and `--format csv,json` mean the same."""
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]


def _print_manifest(out: str, manifest: dict[str, Any]) -> None:
    sizes: dict[str, int] = {}
    for entry in manifest["files"]:
        if "dataset" in entry:
            sizes[entry["dataset"]] = sizes.get(entry["dataset"], 0) + entry["bytes"]
    table(
        ["dataset", "rows", "bytes"],
        [[d["name"], f"{d['rows']:,}", f"{sizes[d['name']]:,}"] for d in manifest["datasets"]],
    )
    typer.echo(
        f"{len(manifest['files'])} files in {out}, as of {manifest['snapshot_at']}.\n"
        f"Check them with: coachops export verify {out}"
    )
