"""JSON answers that a client may keep: an ETag over what is told, without the ages that change by themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub.api.language import language_of

VOLATILE = frozenset({"read_at", "age_s"})
"""Ages and clocks: an answer that differs in them alone is the same answer."""


def etag_of(body: Any) -> str:
    """A weak tag of what a body tells."""
    return f'W/"{hashlib.blake2b(orjson.dumps(_steady(body)), digest_size=12).hexdigest()}"'


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in VOLATILE}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def json_answer(request: Request, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """`body` as JSON, or 304 if the client has it. It may be kept, and must be asked for again."""
    tag = etag_of(body)
    told = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Language": language_of(request),
        "Vary": "Accept-Language, Authorization, Cookie",
        **(headers or {}),
    }
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=told)
    return Response(orjson.dumps(body), headers=told, media_type="application/json")


def matches(asked: str, tag: str) -> bool:
    """Whether an If-None-Match header names a tag; weak comparison."""
    plain = tag.removeprefix("W/")
    return asked.strip() == "*" or any(item.strip().removeprefix("W/") == plain for item in asked.split(","))
