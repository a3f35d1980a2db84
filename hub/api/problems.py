"""Errors of the HTTP interface as problem+json (RFC 9457), in the language asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from hub.api.language import texts_of

TYPE_ROOT = "/problems/"

STATUSES: dict[str, int] = {
    "unknown-parameter": 400,
    "invalid-parameter": 400,
    "invalid-period": 400,
    "unknown-dimension": 400,
    "invalid-cursor": 400,
    "invalid-body": 400,
    "codes-moved": 409,
    "codes-refused": 422,
    "connector-refused": 409,
    "unauthorized": 401,
    "forbidden": 403,
    "cross-site": 403,
    "not-found": 404,
    "unknown-alert": 404,
    "unknown-table": 404,
    "unknown-silence": 404,
    "alert-handled": 409,
    "note-missing": 400,
    "assignee-missing": 400,
    "silence-window": 400,
    "unknown-kpi": 404,
    "unknown-entity": 404,
    "unknown-screen": 404,
    "method-not-allowed": 405,
    "body-too-large": 413,
    "sql-refused": 400,
    "too-many-queries": 409,
    "sql-failed": 422,
    "too-many-requests": 429,
    "internal": 500,
    "warehouse-away": 503,
}
"""Every problem type and its status. The types are stable: clients may depend on them."""

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ParameterError:
    """What is wrong with one parameter: `key` is a message key, `values` fill it."""

    parameter: str
    key: str
    values: Mapping[str, Any]


class Problem(Exception):
    """An answer that is an error. `values` fill the type's message `problem.<slug>.detail`."""

    def __init__(
        self,
        slug: str,
        errors: Iterable[ParameterError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(slug)
        self.slug = slug
        self.status = STATUSES[slug]
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.values = dict(values or {})


def unknown_parameter(name: str, allowed: Iterable[str]) -> Problem:
    """A query parameter that the address does not know."""
    known = sorted(allowed)
    nearest = difflib.get_close_matches(name, known, n=1)
    values = {"name": name, "allowed": ", ".join(known) or "–"}
    error = ParameterError(name, "problem.unknown-parameter.detail", values)
    return Problem("unknown-parameter", [error], extra={"allowed": known, "nearest": nearest}, values=values)


def _in(language: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are texts in both languages, in one."""
    return {name: value[language] if isinstance(value, Mapping) else value for name, value in values.items()}


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """The problem in the reader's language."""
    t = texts_of(request)
    body: dict[str, Any] = {
        "type": TYPE_ROOT + problem.slug,
        "title": t(f"problem.{problem.slug}.title"),
        "status": problem.status,
        "detail": t(f"problem.{problem.slug}.detail", **_in(t.language, problem.values)),
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
    }
    if problem.errors:
        body["errors"] = [
            {"parameter": error.parameter, "detail": t(error.key, **error.values)} for error in problem.errors
        ]
    body |= problem.extra
    request.state.problem = problem.slug
    headers = {"Content-Language": t.language, "Vary": "Accept-Language"} | problem.headers
    return JSONResponse(body, problem.status, headers, MEDIA_TYPE)
