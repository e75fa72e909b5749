"""The OpenAPI document: complete for every route of `/v1`, and sound by a linter that others wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from coachops.api.openapi import PROBLEM, operations
from coachops.core.errors import CATALOGUE
from tests.api.conftest import Site
from tests.conftest import ROOT, missing_tool
from tests.support.patience import WHOLE

REDOCLY = (
    ROOT / "tests" / "support" / "node" / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js"
)


@pytest.fixture
def document(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.client.get("/openapi.json").json()
    return found


def v1(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{method.upper()} {path}", operation)
        for path, method, operation in operations(document)
        if path.startswith("/v1/")
    ]
    assert len(found) >= 14
    return found


def has_example(document: dict[str, Any], media: dict[str, Any]) -> bool:
    """Whether the media type shows an example, itself or in the schema it refers to."""
    schema = media.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    shown = document["components"]["schemas"].get(name, schema)
    return bool(media.get("example") or media.get("examples") or shown.get("examples"))


def test_every_operation_tells_what_it_does_and_shows_what_goes_in_and_out(
    document: dict[str, Any],
) -> None:
    lacking = [
        f"{name}: summary or description"
        for name, operation in v1(document)
        if not operation.get("summary") or not operation.get("description")
    ]
    for name, operation in v1(document):
        answers = operation["responses"].values()
        for part in (operation.get("requestBody", {}), *answers):
            media = part.get("content", {}).values()
            lacking += [f"{name}: {each}" for each in media if not has_example(document, each)]
    assert lacking == []


def test_operation_ids_are_the_names_of_functions_and_unique(document: dict[str, Any]) -> None:
    found = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(found)) == len(found)
    assert all(name.isidentifier() and name.islower() for name in found)
    assert {"write_client", "read_client", "import_rows", "upload_transcript"} <= set(found)


def test_every_operation_asks_for_a_token_and_tells_its_problems(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    schema = document["components"]["schemas"]["Problem"]
    validator = Draft202012Validator(schema)
    for name, operation in v1(document):
        assert {"token": []} in operation["security"], name
        assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys(), name
        for status, answer in operation["responses"].items():
            if not status.startswith(("4", "5")):
                continue
            assert list(answer["content"]) == [PROBLEM], (name, status)
            examples = answer["content"][PROBLEM]["examples"]
            for code, example in examples.items():
                validator.validate(example["value"])
                assert code in CATALOGUE
                assert str(example["value"]["status"]) == status
                assert "<" not in example["value"]["detail"], example["value"]["detail"]


def test_redocly_finds_no_error(document: dict[str, Any], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not REDOCLY.is_file():
        missing_tool("@redocly/cli")
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    done = subprocess.run(
        [node, str(REDOCLY), "lint", str(path), "--extends=recommended", "--format=json"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=WHOLE,
        env={"PATH": "/usr/bin:/bin", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    told = [f"{each['ruleId']} {each['message']} {each['location'][0]['pointer']}"
            for each in found["problems"]]  # fmt: skip
    assert found["totals"]["errors"] == 0, told
    about_v1 = [line for line in told if "/paths/~1v1" in line or "/components/" in line]
    assert about_v1 == []
