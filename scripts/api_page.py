"""The guide's reference of the API, from the OpenAPI document that the application serves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INTRO = """# The API

Every call under `/v1`, from the OpenAPI document of this version; your installation serves it at `/openapi.json`.
How to begin, and what errors look like: [the guide](../guides/api.md). Any call may also answer {common}.
"""


def document() -> dict[str, Any]:
    """The document of an application with default settings; nothing is opened or written."""
    from coachops.api import create_app
    from coachops.bootstrap import Services
    from coachops.core.settings import Settings
    from coachops.db import Database

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), port=8000)
        database = Database(f"sqlite:///{folder}/unused.db")
        try:
            return create_app(Services(settings, database)).openapi()
        finally:
            database.close()


def page() -> str:
    """The page in Markdown."""
    from coachops.api.openapi import PROBLEM, common_codes, operations

    found = document()
    schemas = found["components"]["schemas"]
    common = common_codes()
    linked = ", ".join(_code(code) for code in sorted(common))
    lines = [_INTRO.format(common=linked)]
    for tag in found["tags"]:
        chosen = [
            (path, method, operation)
            for path, method, operation in operations(found)
            if path.startswith("/v1/") and tag["name"] in operation["tags"]
        ]
        if chosen:
            lines.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        for path, method, operation in chosen:
            lines += _operation(path, method, operation, schemas, common, PROBLEM)
    return "\n".join(lines)


def _operation(
    path: str,
    method: str,
    operation: dict[str, Any],
    schemas: dict[str, Any],
    common: frozenset[str],
    problem: str,
) -> Iterator[str]:
    yield f"### `{method.upper()} {path}` {{ #{operation['operationId'].replace('_', '-')} }}\n"
    yield f"{operation['summary']}. {_prose(operation['description'])}\n"
    rows = [
        f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | "
        f"{'yes' if each.get('required') else ''} | {_cell(each.get('description', ''))} |"
        for each in operation.get("parameters", ())
    ]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(content["schema"], schemas)
        for name, field in schema.get("properties", {}).items():
            needed = "yes" if name in schema.get("required", ()) else ""
            rows.append(
                f"| `{name}` | body | {_type(field)} | {needed} | {_cell(field.get('description', ''))} |"
            )
        example = _example(content, schema)
        if rows:
            yield _table(rows)
            rows = []
        yield f"Body, `{media}`:\n\n{_fenced(example)}\n"
    if rows:
        yield _table(rows)
    codes: list[str] = []
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            if media == problem:
                codes += [code for code in content["examples"] if code not in common]
            elif status == "200" or (status == "201" and "200" not in operation["responses"]):
                schema = _resolved(content["schema"], schemas)
                yield f"Answer {status}:\n\n{_fenced(_example(content, schema))}\n"
    if codes:
        yield "Errors: " + ", ".join(_code(code) for code in sorted(codes)) + ".\n"


def _table(rows: list[str]) -> str:
    head = "| name | in | type | required | meaning |\n|---|---|---|---|---|"
    return "\n".join([head, *rows, ""])


def _code(code: str) -> str:
    return f"[{code}](errors/{code.lower()}.md)"


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schemas.get(name, schema)
    return found


def _example(content: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    return next(iter(schema.get("examples", ())), {})


def _fenced(example: Any) -> str:
    text = (
        example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    )
    return f"```json\n{text.strip()}\n```"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    name = schema.get("$ref", "").rpartition("/")[2] or schema.get("format") or schema.get("type")
    return str(name or "text")


def _prose(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")
