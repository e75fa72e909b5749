"""`coachops export`: data as files that prove themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coachops.cli import exports_issued
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
    privacy: Annotated[
        str, typer.Option(help="full, or pseudonymous: no names, addresses or words.")
    ] = "full",
    compression: Annotated[str, typer.Option(help="Of text formats: none, gzip or zstd.")] = "none",
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that read and write; 0 chooses.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Export one moment of the database into a new folder; nothing appears unless it is whole.

    Days are those of the organisation's calendar. With --json the manifest is printed, and with
    --background what 'export status' prints.

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
            manifest = _run_here(jobs, Path(out), workers, wanted)
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


def _run_here(jobs: Jobs, out: Path, workers: int, wanted: dict[str, Any]) -> dict[str, Any]:
    from coachops.export import DATASETS  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 as above

    with progress() as bars:
        names = wanted["datasets"] or list(DATASETS)
        task = bars.add_task("Exporting datasets", total=len(dict.fromkeys(names)))
        seen: list[str] = []

        def show(name: str, rows: int) -> None:
            if name not in seen:
                seen.append(name)
            bars.update(task, completed=len(seen), description=f"{name} {rows:,}")

        return jobs.exports.run_here(SUITE, out, workers=workers, progress=show, **wanted)


def _run_as_job(jobs: Jobs, export: Issued) -> dict[str, Any]:
    """Have this process make it as a worker does (a bucket takes parts); returns the manifest."""
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        bars.add_task(f"Exporting to {export.place[-40:]}", total=None)
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
    as_json: JsonOption = False,
) -> None:
    """Read every file of an export again and check every claim of its manifest.

    Exit code 1 where something differs; the file and row are named.

    Example:  coachops export verify exports/today
    """
    from coachops.export import require_intact, verify_export  # noqa: PLC0415 imports SQLAlchemy

    with progress() as bars:
        task = bars.add_task("Verifying", total=None)
        checks = verify_export(
            folder, lambda path: bars.update(task, advance=1, description=path[-28:])
        )
    bad = [check for check in checks if not check.ok]

    def text() -> None:
        for check in bad:
            at = f", row {check.row}" if check.row is not None else ""
            typer.echo(f"{check.check}  {check.subject}{at}: {check.detail}")
        if not bad:
            typer.echo(f"Intact: {len(checks)} checks of {folder}, all passed.")

    emit({"ok": not bad, "folder": folder, "checks": checks}, as_json=as_json, text=text)
    if bad and as_json:
        raise typer.Exit(1)
    require_intact(folder, checks)


@app.command()
def schema(
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Name; may be repeated. Default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the JSON Schema (2020-12) of datasets; one name prints that schema alone.

    Example:  coachops export schema --dataset utterances
    """
    from coachops.export import schema_documents  # noqa: PLC0415 imports SQLAlchemy

    names = _split(datasets)
    documents = schema_documents(names)
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
