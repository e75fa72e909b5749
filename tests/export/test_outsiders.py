"""Bundles as programs that others wrote see them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
import zstandard

from coachops.core.actor import SYSTEM
from coachops.db import Database, migrate
from coachops.export import DATASETS, Dataset, SigningKey, run_export
from tests.export.conftest import HARD_TEXTS, make_organisation
from tests.support.outsiders import outsider

KEY = SigningKey(b"a secret of the installation that signs" * 2)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One organisation as bundles: `all` formats, `excel`, and packed with `gzip` and `zstd`."""
    folder = tmp_path_factory.mktemp("outsiders")
    database = Database(f"sqlite:///{folder / 'coachops.db'}")
    migrate.upgrade(database)
    make_organisation(database, sessions=12)
    run_export(database, SYSTEM, folder / "all", ["csv", "json", "jsonl", "parquet"], key=KEY)
    run_export(database, SYSTEM, folder / "excel", ["csv"], csv_profile="excel", key=KEY)
    for name in ("gzip", "zstd"):
        run_export(database, SYSTEM, folder / name, ["csv", "jsonl"], compression=name, key=KEY)
    database.close()
    return folder


@pytest.fixture
def copy(bundles: Path, tmp_path: Path) -> Path:
    shutil.copytree(bundles / "all", tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("name", ["all", "excel", "gzip", "zstd"])
def test_frictionless_finds_every_bundle_valid(bundles: Path, name: str) -> None:
    code, output = outsider("frictionless", "validate", bundles / name / "datapackage.json")
    assert code == 0, output


def change(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


MUTANTS = {
    "a value": lambda f: change(f / "data" / "clients-0001.csv", b"client-0001", b"client-0007"),
    "a type": lambda f: change(f / "data" / "utterances-0001.csv", b",1,coach,", b",x,coach,"),
    "a nested value": lambda f: change(f / "data" / "insights-0001.jsonl", b"quote", b"quota"),
    "a packed byte": lambda f: change(f / "data" / "goals-0001.parquet", b"PAR1", b"PAR2"),
}


@pytest.mark.parametrize("what", MUTANTS)
def test_frictionless_refuses_every_mutant(copy: Path, what: str) -> None:
    MUTANTS[what](copy)
    code, _ = outsider("frictionless", "validate", copy / "datapackage.json")
    assert code != 0


def test_csvw_passes_the_lossless_profile_and_refuses_wrong_values(copy: Path) -> None:
    metadata = copy / "csvw-metadata.json"
    code, output = outsider("csvwvalidate", "-v", metadata)
    assert code == 0, output
    for name, old, new in [
        ("utterances", b",1,coach,", b",x,coach,"),
        ("audit_events", b"Z,", b","),
        ("clients", b"client-0001", b"\\N"),
    ]:
        path = copy / "data" / f"{name}-0001.csv"
        good = path.read_bytes()
        change(path, old, new)
        assert outsider("csvwvalidate", metadata)[0] != 0, name
        path.write_bytes(good)


def test_schemas_are_json_schema_2020_12_and_rows_and_manifest_conform(
    bundles: Path, tmp_path: Path
) -> None:
    folder = bundles / "all"
    schemas = sorted((folder / "schemas").iterdir())
    assert len(schemas) == len(DATASETS) + 1
    code, output = outsider("check-jsonschema", "--check-metaschema", *schemas)
    assert code == 0, output
    manifest = folder / "schemas" / "manifest-2.1.0.json"
    code, output = outsider("check-jsonschema", "--schemafile", manifest, folder / "manifest.json")
    assert code == 0, output
    for name in ("utterances", "insights"):
        schema = folder / "schemas" / f"{name}-{DATASETS[name].version}.json"
        with (folder / "data" / f"{name}-0001.jsonl").open("rb") as file:
            lines = [next(file) for _ in range(5)]
        rows = [tmp_path / f"{name}-{number}.json" for number in range(5)]
        for path, line in zip(rows, lines, strict=True):
            path.write_bytes(line)
        code, output = outsider("check-jsonschema", "--schemafile", schema, *rows)
        assert code == 0, output
        rows[0].write_bytes(lines[0].replace(b'_id":"', b'_id":"x', 1))
        assert outsider("check-jsonschema", "--schemafile", schema, rows[0])[0] != 0


def test_the_signature_is_checked_with_openssl_and_sha256sum_alone(copy: Path) -> None:
    verify = [
        "pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem", "-rawin",
        "-in", "SHA256SUMS", "-sigfile", "SHA256SUMS.sig",
    ]  # fmt: skip
    sums = ["-c", "--strict", "SHA256SUMS"]
    assert outsider("openssl", *verify, cwd=copy)[0] == 0
    code, output = outsider("sha256sum", *sums, cwd=copy)
    assert code == 0, output
    files = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()}
    assert {line.split(": ")[0] for line in output.splitlines()} == files - {
        "SHA256SUMS", "SHA256SUMS.sig",
    }  # fmt: skip
    change(copy / "manifest.json", b"full", b"none")
    assert outsider("sha256sum", *sums, cwd=copy)[0] != 0
    change(copy / "SHA256SUMS", b"0", b"1")
    assert outsider("openssl", *verify, cwd=copy)[0] != 0


def test_the_fingerprint_is_what_openssl_gives(bundles: Path) -> None:
    import hashlib

    der = bundles / "key.der"
    code, output = outsider(
        "openssl", "pkey", "-pubin", "-in", bundles / "all" / "public-key.pem",
        "-outform", "DER", "-out", der,
    )  # fmt: skip
    assert code == 0, output
    assert hashlib.sha256(der.read_bytes()).hexdigest() == KEY.fingerprint


DUCK_TYPES = {
    "uuid": "UUID", "integer": "INTEGER", "int64": "BIGINT", "boolean": "BOOLEAN",
    "date": "DATE", "instant": "TIMESTAMPTZ", "json": "JSON",
}  # fmt: skip


def as_seen_by_duckdb(folder: Path, dataset: Dataset, format_name: str, suffix: str = "") -> str:
    """A query of one dataset in one format, with the types that its schema states."""
    types = {c.name: DUCK_TYPES.get(c.kind, "VARCHAR") for c in dataset.columns}
    files = f"{folder}/data/{dataset.name}-*.{format_name}{suffix}"
    columns = "{" + ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items()) + "}"
    match format_name:
        case "csv":
            source = (
                f"read_csv('{files}', header=true, nullstr='\\N', allow_quoted_nulls=false, "
                f"quote='\"', escape='\"', delim=',', columns={columns})"
            )
        case "jsonl":
            source = f"read_json('{files}', format='newline_delimited', columns={columns})"
        case "json":
            inside = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
            source = (
                f"(SELECT unnest(rows, max_depth := 2) FROM "
                f"read_json('{files}', columns={{rows: 'STRUCT({inside})[]'}}))"
            )
        case _:
            source = f"read_parquet('{files}')"
    names = ", ".join(
        f'CAST("{c.name}" AS VARCHAR) AS "{c.name}"' if c.kind == "json" else f'"{c.name}"'
        for c in dataset.columns
    )
    return f"SELECT {names} FROM {source}"


def test_duckdb_finds_no_difference_between_formats_in_any_dataset(bundles: Path) -> None:
    connection = duckdb.connect()
    for dataset in DATASETS.values():
        reference = as_seen_by_duckdb(bundles / "all", dataset, "parquet")
        rows = count(connection, reference)
        assert rows or dataset.name == "activity", dataset.name
        for format_name in ("csv", "json", "jsonl"):
            other = as_seen_by_duckdb(bundles / "all", dataset, format_name)
            if format_name == "csv":  # the one escape of the lossless profile, undone
                other = unescaped(other, dataset)
            assert count(connection, other) == rows
            for one, two in ((reference, other), (other, reference)):
                different = connection.sql(f"({one}) EXCEPT ALL ({two})").fetchall()
                assert different == [], (dataset.name, format_name)


def unescaped(query: str, dataset: Dataset) -> str:
    names = ", ".join(
        rf"""regexp_replace("{c.name}", '^\\(\\*\\N)$', '\1') AS "{c.name}" """
        if c.kind in {"text", "code"}
        else f'"{c.name}"'
        for c in dataset.columns
    )
    return f"SELECT {names} FROM ({query})"


def count(connection: Any, query: str) -> int:
    return int(connection.sql(f"SELECT count(*) FROM ({query})").fetchall()[0][0])


@pytest.mark.parametrize(("name", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_packed_files_unpack_to_the_same_bytes_and_open_in_duckdb(
    bundles: Path, name: str, suffix: str
) -> None:
    for path in (bundles / "all" / "data").glob("*-0001.jsonl"):
        if path.stem.startswith(("audit_events", "activity")):
            continue  # each export adds a row to these
        packed = bundles / name / "data" / f"{path.name}{suffix}"
        with gzip.open(packed) if name == "gzip" else zstandard.open(packed, "rb") as file:
            assert file.read() == path.read_bytes(), path.name
    query = as_seen_by_duckdb(bundles / name, DATASETS["utterances"], "jsonl", suffix)
    plain = as_seen_by_duckdb(bundles / "all", DATASETS["utterances"], "jsonl")
    connection = duckdb.connect()
    assert connection.sql(f"({query}) EXCEPT ALL ({plain})").fetchall() == []


def cells_in_libreoffice(path: Path, out: Path, options: str) -> tuple[list[list[str]], int]:
    """The cells as LibreOffice shows them, and how many of them are formulas."""
    code, output = outsider(
        "soffice", "--headless", f"-env:UserInstallation=file://{out}/profile",
        "--convert-to", "fods", f"--infilter=CSV:{options}", "--outdir", out, path,
    )  # fmt: skip
    assert code == 0, output
    space = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    text = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
    tree = ElementTree.parse(out / f"{path.stem}.fods")  # noqa: S314 made just now
    rows, formulas = [], 0
    for row in tree.iter(f"{space}table-row"):
        cells: list[str] = []
        for cell in row.iter(f"{space}table-cell"):
            formulas += f"{space}formula" in cell.attrib
            shown = "\n".join("".join(_shown(p, text)) for p in cell.iter(f"{text}p"))
            cells += [shown] * int(cell.get(f"{space}number-columns-repeated", "1"))
        rows.append(cells)
    return rows, formulas


def _shown(paragraph: ElementTree.Element, text: str) -> list[str]:
    parts = [paragraph.text or ""]
    for child in paragraph:
        if child.tag == f"{text}s":
            parts.append(" " * int(child.get(f"{text}c", "1")))
        elif child.tag == f"{text}tab":
            parts.append("\t")
        else:
            parts += _shown(child, text)
        parts.append(child.tail or "")
    return parts


def test_no_cell_of_the_excel_profile_becomes_a_formula_and_texts_survive(
    bundles: Path, tmp_path: Path
) -> None:
    """Once as quoted text, once with everything evaluated that looks like a formula."""
    path = bundles / "excel" / "data" / "utterances-0001.csv"
    with path.open(newline="", encoding="utf-8-sig") as file:
        expected = [row["text"] for row in csv.DictReader(file)]
    place = DATASETS["utterances"].columns.index(DATASETS["utterances"].column("text"))
    (tmp_path / "text").mkdir()
    cells, formulas = cells_in_libreoffice(path, tmp_path / "text", "44,34,76,1,,0,true,true")
    assert formulas == 0
    found = [row[place] for row in cells[1 : len(expected) + 1]]
    assert [plain_lines(t) for t in found] == [plain_lines(t) for t in expected]
    assert {plain_lines(t) for t in HARD_TEXTS} <= {plain_lines(t).removeprefix("'") for t in found}
    evaluating = "44,34,76,1,,0,false,true,false,false,false,0,true"
    (tmp_path / "formulas").mkdir()
    assert cells_in_libreoffice(path, tmp_path / "formulas", evaluating)[1] == 0
    (tmp_path / "control").mkdir()
    lossless = bundles / "all" / "data" / "utterances-0001.csv"
    _, dangerous = cells_in_libreoffice(lossless, tmp_path / "control", evaluating)
    assert dangerous > 0  # so the profile is what keeps them away


def plain_lines(text: str) -> str:
    """Spreadsheets have one sort of line end, and no byte order mark inside."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\ufeff", "")


def test_python_reads_the_excel_profile_as_it_is_described(bundles: Path) -> None:
    data = (bundles / "excel" / "data" / "sessions-0001.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data, newline="")))
    with (bundles / "all" / "data" / "sessions-0001.jsonl").open("rb") as file:
        expected = [json.loads(line)["title"] for line in file]
    assert [row["title"].removeprefix("'") for row in rows] == expected
