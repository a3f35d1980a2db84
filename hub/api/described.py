"""The description of the HTTP interface: OpenAPI 3.1 that says what is truly answered, refusals included.

Programs are generated from it and the interface is tested by it, so that each status and media type it may answer with
is named: a refusal is a problem (RFC 9457), never FastAPI's own shape of an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hub.api.access import is_public
from hub.api.files import MEDIA_TYPES
from hub.api.problems import MEDIA_TYPE, STATUSES, TYPE_ROOT

Operation = dict[str, Any]

INGEST = "/v1/ingest/"
"""Webhooks have refusals of their own."""

ASKED = (400, 401, 403, 404, 429, 503)
ACTED = (409, 413, 422)
"""Besides, of what changes something or carries a body."""
CONDITIONAL = ("/v1/kpis", "/v1/entities")
"""Answers with an ETag, that a client may have already."""
UNSAFE = frozenset({"post", "put", "patch", "delete"})
TITLES = {
    400: "The question is wrong; `errors` names the parameter and `allowed` what it may be",
    401: "No key, or one that is not known",
    403: "The key's role may not do this",
    404: "There is no such thing; `nearest` names what may have been meant",
    409: "It is not possible as things are now",
    413: "The body is larger than `limit`",
    422: "It was understood and cannot be done; the detail says why",
    429: "The key asks too often; `Retry-After` says how many seconds to wait",
    503: "The warehouse does not answer; ask again after `Retry-After` seconds",
}

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `type` is stable; the words follow `Accept-Language`.",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"enum": [TYPE_ROOT + slug for slug in STATUSES]},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "minLength": 1},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["parameter", "detail"],
                "properties": {"parameter": {"type": "string"}, "detail": {"type": "string", "minLength": 1}},
            },
        },
        "allowed": {"type": "array", "items": {"type": "string"}},
        "nearest": {"type": "array", "items": {"type": "string"}},
    },
}

FILES = ("json", "csv", "xlsx", "parquet")
BODIES: dict[tuple[str, str], tuple[str, ...]] = {
    ("get", "/v1/kpis.{form}"): FILES,
    ("get", "/v1/kpis/{kpi_id}"): FILES,
    ("get", "/v1/entities/{entity}"): FILES,
    ("get", "/v1/sql.{form}"): FILES,
    ("get", "/v1/codes/{table}/download/{form}"): ("csv", "xlsx"),
    ("get", "/v1/catalogue.xlsx"): ("xlsx",),
    ("get", "/v1/catalogue/{entity}/download/{form}"): ("json", "schema", "md", "xlsx"),
    ("get", "/v1/live"): ("events",),
    ("get", "/metrics"): ("metrics",),
}
"""Of answers that are something else than JSON alone."""
OTHERS = {
    "schema": "application/schema+json",
    "md": "text/markdown; charset=utf-8",
    "events": "text/event-stream",
    "metrics": "text/plain",
}
UPLOADS = frozenset({("put", "/v1/codes/{table}"), ("post", "/v1/codes/{table}/diff")})


def describe(app: FastAPI) -> None:
    """Let `app` describe itself so; made once, at the first question."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


def _description(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    parts["responses"] = {f"Problem{status}": _problem(status) for status in TITLES}
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "A key of `ioc keys`"}}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            if not path.startswith(INGEST):
                _complete(method, path, operation)
    return made


def _problem(status: int) -> dict[str, Any]:
    slugs = ", ".join(slug for slug, of in STATUSES.items() if of == status)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": f"{TITLES[status]}. Types: {slugs}", "content": content}


def _complete(method: str, path: str, operation: Operation) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in _refusals(method, path):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    if not is_public(path):
        operation["security"] = [{"key": []}]
    if method == "get" and path.startswith(CONDITIONAL):
        responses["304"] = {"description": "The client has it: `If-None-Match` names its ETag"}
    if path == "/readyz":
        responses["503"] = {"description": "Something it leans on is away", "content": {"application/json": {}}}
    if (method, path) in BODIES:
        responses["200"]["content"] = {_media_type(form): {} for form in BODIES[method, path]}
    if (method, path) in UPLOADS:
        content = {MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in ("csv", "xlsx")}
        operation["requestBody"] = {"required": True, "description": "The file itself", "content": content}


def _refusals(method: str, path: str) -> Iterable[int]:
    if is_public(path):
        return (400,)
    return (*ASKED, *ACTED) if method in UNSAFE or path.startswith("/v1/sql") else ASKED


def _media_type(form: str) -> str:
    return MEDIA_TYPES.get(form) or OTHERS[form]
