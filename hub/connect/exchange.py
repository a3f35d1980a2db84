"""HTTP as Kafka Connect speaks it: routes on the undecoded path, JSON alone, trailing slashes. Plain ASGI."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
from starlette.types import Receive, Scope

from hub.connect.faults import Fault, bad_request, plain
from hub.security.access import Permission, Principal

BODY_LIMIT_BYTES = 1_048_576
"""Largest body; a manifest of 100 fields has some 10 KB."""
JSON_TYPE = "application/json"
TEXT_TYPES = ("text/yaml", "application/yaml", "application/x-yaml", "text/plain")
"""Of a manifest as YAML."""
_FORBIDDEN = re.compile(r"%2[Ff]|%25|%5[Cc]|%[01][0-9A-Fa-f]|%7[Ff]")
"""Kafka Connect's server refuses encoded slashes, percents, backslashes and control characters in a path."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `segments`: the decoded variable ones; `query`: all values by name; `body`: decoded JSON, or a
    text where the route takes one; `base`: this server's address as the client wrote it."""

    caller: Principal
    segments: tuple[str, ...]
    query: Mapping[str, Sequence[str]]
    body: Any
    base: str
    language: str

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true; anything but `true` counts as false."""
        return (self.query.get(name) or ("",))[0].lower() == "true"

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Fault 400."""
        if not isinstance(self.body, dict):
            raise bad_request("Nội dung gửi phải là một đối tượng JSON", "The body must be a JSON object")
        return self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` None: an empty answer."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: str = JSON_TYPE


Handler = Callable[[Ask], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` is a path whose `*` are variable segments; `takes_text`: a manifest as YAML beside JSON."""

    method: str
    pattern: str
    permission: Permission
    handler: Handler
    takes_text: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """Finds routes by the number of segments and the fixed ones among them; earlier ones win."""

    by_shape: dict[tuple[str | None, ...], dict[str, Route]] = field(default_factory=dict)

    @classmethod
    def of(cls, routes: Sequence[Route]) -> Routes:
        made = cls()
        for route in routes:
            shape = tuple(None if part == "*" else part for part in _split(route.pattern))
            made.by_shape.setdefault(shape, {})[route.method] = route
        return made

    def find(self, method: str, raw_path: str) -> tuple[Route, tuple[str, ...]]:
        """The route and its decoded segments. Raises Fault 400, 404 or 405."""
        if _FORBIDDEN.search(raw_path):
            raise plain(400, "Bad Request: ambiguous or control characters in the path")
        parts = _split(raw_path)
        for shape, methods in self.by_shape.items():
            if len(shape) == len(parts) and all(
                fixed is None or fixed == part for fixed, part in zip(shape, parts, strict=True)
            ):
                route = methods.get("GET" if method == "HEAD" else method)
                if route is None:
                    raise plain(405, "Method Not Allowed")
                return route, tuple(unquote(part) for fixed, part in zip(shape, parts, strict=True) if fixed is None)
        raise plain(404, "Not Found")


def _split(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def raw_path_of(scope: Scope) -> str:
    """The path as it was sent, without the query."""
    raw = scope.get("raw_path")
    return (raw if isinstance(raw, bytes) else scope["path"].encode()).partition(b"?")[0].decode("latin-1")


def query_of(scope: Scope) -> dict[str, list[str]]:
    """The query's parameters, repeated ones too."""
    return parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)


def base_of(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """This server's address, following the Host header."""
    return f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'localhost').decode('latin-1')}"


def accepts_json(accept: bytes) -> bool:
    """Whether the client takes JSON."""
    if not accept:
        return True
    for wish in accept.decode("latin-1").lower().split(","):
        kind, *parameters = [part.strip() for part in wish.split(";")]
        refused = any(item.replace(" ", "") in {"q=0", "q=0.0"} for item in parameters)
        if kind in ("*/*", "application/*", JSON_TYPE) and not refused:
            return True
    return False


async def body_of(headers: Mapping[bytes, bytes], receive: Receive, *, takes_text: bool) -> Any:
    """JSON, or a text where one is taken; None if there is none. Raises Fault 400, 413 or 415."""
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    is_text = takes_text and kind in TEXT_TYPES
    if kind and kind != JSON_TYPE and not is_text:
        raise plain(415, "Unsupported Media Type")
    received = await _read(headers, receive)
    if is_text:
        return _text(received)
    if not received.strip():
        return None
    try:
        return orjson.loads(received)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"Nội dung gửi không phải JSON: {error}", f"The body is not valid JSON: {error}") from error


def _text(received: bytes) -> str:
    try:
        return received.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request("Nội dung gửi không phải UTF-8", "The body is not UTF-8") from error


async def _read(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > BODY_LIMIT_BYTES:
        raise _too_large()
    received = bytearray()
    while True:
        message = await receive()
        received += message.get("body", b"")
        if len(received) > BODY_LIMIT_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(received)


def _too_large() -> Fault:
    return plain(413, f"Content Too Large: at most {BODY_LIMIT_BYTES} bytes")
