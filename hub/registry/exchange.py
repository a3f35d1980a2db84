"""HTTP as the registry speaks it: routes on the undecoded path, content types, bodies, answers. Plain ASGI.

Subjects may hold any character, also an encoded slash: a segment is decoded only after the route was found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
from starlette.types import Receive, Scope

from hub.registry.faults import Fault, bad_body, plain
from hub.security.access import Permission

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
ANSWERED_TYPES = (CONTENT_TYPE, "application/vnd.schemaregistry+json", "application/json")
TAKEN_TYPES = (*ANSWERED_TYPES, "application/octet-stream")
BODY_LIMIT_BYTES = 1_000_000
"""Largest body; contracts have some kilobytes."""


Sees = Callable[[str], bool]
"""Whether the caller may see a subject."""


def sees_all(_: str) -> bool:
    """The sight of who may see all subjects."""
    return True


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the decoded variable segments in their order, the query, the decoded body, the caller's sight."""

    segments: tuple[str, ...]
    query: Mapping[str, str]
    body: dict[str, Any]
    sees: Sees = sees_all

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true."""
        return self.query.get(name, "").lower() == "true"


Handler = Callable[[Ask], Awaitable[Any]]
"""Answers what becomes the JSON body; raises Fault."""


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` is a path whose `*` are variable segments; `name` stands in the metrics."""

    method: str
    pattern: str
    name: str
    permission: Permission
    handler: Handler


@dataclass(frozen=True, slots=True)
class Routes:
    """Finds routes by the number of segments and the fixed ones among them; fixed ones win."""

    by_length: dict[int, dict[tuple[str | None, ...], dict[str, Route]]] = field(default_factory=dict)

    @classmethod
    def of(cls, routes: Sequence[Route]) -> Routes:
        made = cls()
        for route in routes:
            shape = tuple(None if part == "*" else part for part in _split(route.pattern))
            made.by_length.setdefault(len(shape), {}).setdefault(shape, {})[route.method] = route
        return made

    def find(self, method: str, raw_path: str) -> tuple[Route, tuple[str, ...]]:
        """The route and its decoded segments. Raises Fault 404 or 405."""
        parts = _split(raw_path)
        for shape, methods in self.by_length.get(len(parts), {}).items():
            if all(fixed is None or fixed == part for fixed, part in zip(shape, parts, strict=True)):
                route = methods.get("GET" if method == "HEAD" else method)
                if route is None:
                    raise plain(405, "Method Not Allowed")
                return route, tuple(_decoded(part) for fixed, part in zip(shape, parts, strict=True) if fixed is None)
        raise plain(404, "Not Found")


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise plain(400, f"Bad Request: {segment!r} in the path is no UTF-8") from error


def _split(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def raw_path_of(scope: Scope) -> str:
    """The path as it was sent, without the query."""
    raw = scope.get("raw_path")
    return (raw if isinstance(raw, bytes) else scope["path"].encode()).partition(b"?")[0].decode("latin-1")


def query_of(scope: Scope) -> dict[str, str]:
    """The query's parameters; of a repeated one the last counts."""
    raw = scope.get("query_string", b"")
    if not raw:
        return {}
    return {name: values[-1] for name, values in parse_qs(raw.decode("latin-1"), keep_blank_values=True).items()}


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Headers by lower-case name."""
    return dict(scope["headers"])


@lru_cache(256)
def answer_type(accept: bytes) -> str | None:
    """The content type to answer with; None if nothing the client accepts is spoken here."""
    if not accept:
        return CONTENT_TYPE
    best: tuple[float, str] | None = None
    for wish in accept.decode("latin-1").lower().split(","):
        kind, *parameters = [part.strip() for part in wish.split(";")]
        quality = next((_quality(item[2:]) for item in parameters if item.startswith("q=")), 1.0)
        offered = CONTENT_TYPE if kind in ("*/*", "application/*") else kind
        if quality > 0 and offered in ANSWERED_TYPES and (best is None or quality > best[0]):
            best = quality, offered
    return best[1] if best is not None else None


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def body_of(headers: Mapping[bytes, bytes], receive: Receive) -> dict[str, Any]:
    """The body as a JSON object, empty if there is none. Raises Fault."""
    if int(headers.get(b"content-length", b"0")) > BODY_LIMIT_BYTES:
        raise plain(413, f"Content Too Large: at most {BODY_LIMIT_BYTES} bytes")
    received = await _read(receive)
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if kind and kind not in TAKEN_TYPES:
        raise plain(415, "Unsupported Media Type")
    try:
        body = orjson.loads(received) if received.strip() else {}
    except orjson.JSONDecodeError as error:
        raise bad_body(f"no JSON: {error}") from error
    if not isinstance(body, dict):
        raise bad_body("not an object")
    return body


async def _read(receive: Receive) -> bytes:
    received = bytearray()
    while True:
        message = await receive()
        received += message.get("body", b"")
        if len(received) > BODY_LIMIT_BYTES:
            raise plain(413, f"Content Too Large: at most {BODY_LIMIT_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(received)


def fault_body(fault: Fault, accept_language: bytes) -> dict[str, Any]:
    """Confluent's error body; the message in Vietnamese if the client asks for it first."""
    vietnamese = accept_language.strip().lower().startswith(b"vi")
    return {"error_code": fault.code, "message": fault.message_vi if vietnamese else fault.message}
