"""The OpenAPI document: what FastAPI writes, with what every route of `/v1` has in common.

Each operation of `/v1` gets the security schemes, the problems that any of them may answer with
examples, and the headers of the limit on requests; problems are `application/problem+json` only.
Operation ids are the names of the functions, so they stay when an address changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from coachops.api.problem_examples import Problem, problems

PROBLEM = "application/problem+json"
_COMMON = (
    "COACH-IDN-012", "COACH-IDN-015", "COACH-API-006", "COACH-API-009", "COACH-API-005",
    "COACH-SYS-003", "COACH-DB-001", "COACH-API-001",
)  # fmt: skip
"""Codes that any operation of `/v1` may answer."""

_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `coachops token create`, with scopes, an end and limits.",
    },
    "browser": {
        "type": "apiKey",
        "in": "cookie",
        "name": "coachops_session",
        "description": "The sign-in of a browser; changes are taken from pages of this site only.",
    },
}
_LIMIT_HEADERS = {
    "RateLimit": {
        "description": "Requests left, and seconds until more are (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"default";r=599;t=1',
    },
    "RateLimit-Policy": {
        "description": "Requests that one token may make in how many seconds.",
        "schema": {"type": "string"},
        "example": '"default";q=600;w=60',
    },
}
_TAGS = {
    "v1": "Who you are, transcripts, letters.",
    "in step": "Other systems keep coaches, clients, engagements and sessions in step.",
    "operations": "Probes and figures, without a sign-in.",
}


def operation_id(route: APIRoute) -> str:
    """The name of the function: stable, and readable in generated clients."""
    return route.name


def common_codes() -> frozenset[str]:
    """Codes that any operation of `/v1` may answer."""
    return frozenset(_COMMON)


def install(app: FastAPI) -> None:
    """Make the application's document the completed one."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's guide does it


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything the document describes."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in {"get", "put", "post", "delete", "patch", "head"}:
                yield path, method, operation


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["headers"] = _LIMIT_HEADERS
    document["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    document["servers"] = [{"url": "/", "description": "This installation."}]
    used: dict[str, None] = {}
    for path, _, operation in operations(document):
        for tag in operation.setdefault("tags", ["operations"]):
            used[tag] = None
        if path.startswith("/v1/"):
            _complete(operation)
        else:
            operation["security"] = []
    document["tags"] = [{"name": tag, "description": _TAGS.get(tag, tag)} for tag in used]
    return document


def _complete(operation: dict[str, Any]) -> None:
    operation["security"] = [{"token": []}, {"browser": []}]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    answers = operation["responses"]
    if "#/components/schemas/HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status, common in problems(*_COMMON).items():
        answer = answers.setdefault(str(status), {"description": common["description"]})
        kept = answer.setdefault("content", {}).setdefault(PROBLEM, {})
        kept["examples"] = common["content"][PROBLEM]["examples"] | kept.get("examples", {})
    for status, answer in answers.items():
        if status.startswith(("4", "5")):
            content = answer.setdefault("content", {})
            content.pop("application/json", None)
            content.setdefault(PROBLEM, {})["schema"] = {"$ref": "#/components/schemas/Problem"}
        answer["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS
        } | answer.get("headers", {})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A header or a query is there or not, it is never null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest: dict[str, Any] = {name: value for name, value in schema.items() if name != "anyOf"}
    rest.update(kinds[0])
    return rest
