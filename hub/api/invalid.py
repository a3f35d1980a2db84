"""What FastAPI finds wrong with a request, as a problem: each parameter or field with what it may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from hub.api.problems import ParameterError, Problem

BOUNDS = {
    "ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "expected": "{}", "pattern": "{}",
    "min_length": "length ≥ {}", "max_length": "length ≤ {}",
}  # fmt: skip
"""What a check's context tells, in signs of every language."""
TYPES = {
    "int": "integer", "float": "number", "finite": "number", "bool": "boolean", "date": "date (YYYY-MM-DD)",
    "string": "string", "dict": "object", "mapping": "object", "model": "object", "list": "array",
}  # fmt: skip
"""By how the code of an error begins: names of JSON Schema."""
KEYS = {"missing": "problem.parameter.missing", "extra_forbidden": "problem.parameter.extra"}


def invalid(error: RequestValidationError) -> Problem:
    """One problem of all that is wrong."""
    errors = [_one(item) for item in error.errors()]
    return Problem("invalid-parameter", errors, values={"name": errors[0].parameter if errors else "?"})


def _one(item: Mapping[str, Any]) -> ParameterError:
    kind = str(item["type"])
    if kind == "json_invalid":
        return ParameterError("body", "problem.parameter.json", {"why": item.get("ctx", {}).get("error", "")})
    name = _name(item["loc"])
    if kind in KEYS:
        return ParameterError(name, KEYS[kind], {})
    return ParameterError(name, "problem.parameter.bound", {"bound": _bound(kind, item.get("ctx", {}))})


def _name(place: Sequence[Any]) -> str:
    """`limit` of an address; `parameters.n` of a body; `body` for the whole of it."""
    return ".".join(str(part) for part in place[1:]) or str(place[0])


def _bound(kind: str, context: Mapping[str, Any]) -> str:
    told = [BOUNDS[name].format(value) for name, value in context.items() if name in BOUNDS]
    return "; ".join(told) or TYPES.get(kind.partition("_")[0], kind)
