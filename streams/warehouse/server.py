"""The embedded warehouse behind ClickHouse's HTTP interface: the role `ioc warehouse`.

Everyone – stream workers, API, tools – speaks to it with an ordinary ClickHouse client, so that the same code
runs against a ClickHouse server. A plain ASGI application: it is on the path of every batch.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import lz4.frame
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from streams import faultpoints
from streams.warehouse.engine import Engine, EngineError, is_insert

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

log = structlog.get_logger()

NOT_SETTINGS = frozenset(
    (
        "query",
        "database",
        "session_id",
        "session_timeout",
        "session_check",
        "default_format",
        "compress",
        "decompress",
        "enable_http_compression",
        "http_zlib_compression_level",
        "query_id",
        "wait_end_of_query",
        "buffer_size",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "client_protocol_version",
        "role",
        "user",
        "password",
        "quota_key",
    )
)
"""URL parameters of ClickHouse's HTTP interface that are not settings of the query."""

BODY_TIMEOUT_S = 30.0
"""A sender that stalls longer than this loses its request: a half-sent block must not hold a thread."""

_INLINE_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s[^\n]*?\bFORMAT\s+\w+)[ \t]*\r?\n", re.IGNORECASE)
"""An insert whose data follow in the body, as clickhouse-connect's raw_insert sends it."""

THREADS = 8
"""Statements at once; the engine itself uses two threads each."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who may come in; `read_only` ones cannot write."""

    password: str
    read_only: bool


class BodyError(Exception):
    """The request's body cannot be read; the message says why."""


def _metrics() -> tuple[CollectorRegistry, Counter, Histogram]:
    registry = CollectorRegistry()
    requests = Counter(
        "ioc_warehouse_requests", "Statements by kind and result.", ["kind", "result"], registry=registry
    )
    seconds = Histogram("ioc_warehouse_request_seconds", "Time of a statement.", ["kind"], registry=registry)
    return registry, requests, seconds


class WarehouseApp:
    """ASGI application over an `Engine`."""

    def __init__(self, open_engine: Callable[[], Engine], credentials: dict[str, Credential] | None = None) -> None:
        """`open_engine` runs at start-up, in a thread. No `credentials`: everyone may write (tests only)."""
        self._open = open_engine
        self._engine: Engine | None = None
        self._credentials = credentials or {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="statement")
        self._numbers = itertools.count()
        self._registry, self._requests, self._seconds = _metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._engine = await asyncio.get_running_loop().run_in_executor(self._pool, self._open)
                except (EngineError, OSError, RuntimeError) as error:
                    log.error("warehouse_not_opened", reason=str(error))
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                self._pool.shutdown(wait=True)
                if self._engine is not None:
                    self._engine.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/ping":
            await _respond(send, 200, b"Ok.\n")
        elif path in ("/livez", "/readyz"):
            await _respond(send, 200, json.dumps({"status": "ok"}).encode(), [(b"content-type", b"application/json")])
        elif path == "/metrics":
            await _respond(
                send, 200, generate_latest(self._registry), [(b"content-type", CONTENT_TYPE_LATEST.encode())]
            )
        elif path == "/":
            await self._statement(scope, receive, send)
        else:
            await _respond(send, 404, b"There is no such path; statements go to /\n")

    async def _statement(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        arguments = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        credential = self._admit(headers, arguments)
        if credential is None:
            await _respond(
                send,
                401,
                b"Code: 516. DB::Exception: Authentication failed",
                [(b"x-clickhouse-exception-code", b"516")],
            )
            return
        kind = "read"
        try:
            body = await _body(receive)
            body = _decompressed(body, headers.get(b"content-encoding", b"").decode())
            sql = arguments.get("query", "")
            sql, body = _statement_and_data(sql, body)
            kind = "insert" if is_insert(sql) else "read"
            with self._seconds.labels(kind).time():
                answer_format, answer, rows = await self._execute(sql, body, arguments, credential.read_only)
        except EngineError as error:
            self._requests.labels(kind, "error").inc()
            await _respond(send, 500, str(error).encode(), [(b"x-clickhouse-exception-code", str(error.code).encode())])
        except (BodyError, UnicodeDecodeError) as error:
            self._requests.labels(kind, "refused").inc()
            await _respond(send, 400, str(error).encode())
        else:
            self._requests.labels(kind, "ok").inc()
            summary = json.dumps({"read_rows": str(rows), "written_rows": "0", "written_bytes": "0"})
            await _respond(
                send,
                200,
                answer,
                [
                    (b"x-clickhouse-format", answer_format.encode()),
                    (b"x-clickhouse-timezone", b"UTC"),
                    (b"x-clickhouse-summary", summary.encode()),
                    (b"content-type", b"application/octet-stream"),
                ],
            )

    async def _execute(
        self, sql: str, body: bytes, arguments: dict[str, str], read_only: bool
    ) -> tuple[str, bytes, int]:
        assert self._engine is not None
        engine = self._engine
        parameters = {key[6:]: value for key, value in arguments.items() if key.startswith("param_")}
        settings = {
            key: value for key, value in arguments.items() if key not in NOT_SETTINGS and not key.startswith("param_")
        }
        if read_only and (body or is_insert(sql)):
            raise EngineError("Code: 164. DB::Exception: this user may only read")

        def work() -> tuple[str, bytes, int]:
            if body:
                spooled = engine.spool / f"{next(self._numbers)}.body"
                try:
                    spooled.write_bytes(body)
                    _reach("warehouse_body_received", settings)
                    _reach("warehouse_inserting", settings)
                    answer = engine.insert(sql, spooled, settings)
                    _reach("warehouse_inserted", settings)
                finally:
                    spooled.unlink(missing_ok=True)
            else:
                default_format = arguments.get("default_format", "TabSeparated")
                answer = engine.run(sql, settings, parameters, default_format, read_only)
            return answer.format, answer.body, answer.rows_read

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _admit(self, headers: dict[bytes, bytes], arguments: dict[str, str]) -> Credential | None:
        if not self._credentials:
            return Credential("", read_only=False)
        user = headers.get(b"x-clickhouse-user", b"").decode() or arguments.get("user", "")
        password = headers.get(b"x-clickhouse-key", b"").decode() or arguments.get("password", "")
        authorization = headers.get(b"authorization", b"")
        if authorization.lower().startswith(b"basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        credential = self._credentials.get(user)
        if credential is None or not hmac.compare_digest(credential.password.encode(), password.encode()):
            return None
        return credential


def _reach(name: str, settings: dict[str, str]) -> None:
    """A fault point of inserts that carry a token: those of the stream's batches."""
    if "insert_deduplication_token" in settings:
        faultpoints.reach(name)


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyError("the sender hung up before the body was complete")
                chunks.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError as error:
        raise BodyError(f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s") from error


def _statement_and_data(sql: str, body: bytes) -> tuple[str, bytes]:
    """Split a request into the statement and an insert's data, which may follow its statement in the body."""
    if sql and is_insert(sql):
        return sql, body
    inline = _INLINE_INSERT.match(body)
    if not sql and inline is not None:
        return inline.group(1).decode(), body[inline.end() :]
    return (sql + "\n" + body.decode()).strip(), b""


def _decompressed(body: bytes, encoding: str) -> bytes:
    if not body or encoding in ("", "identity"):
        return body
    if encoding == "lz4":
        return bytes(lz4.frame.decompress(body))
    if encoding == "gzip":
        return zlib.decompress(body, wbits=31)
    raise BodyError(f"Content-Encoding {encoding!r} is not known; use lz4, gzip or none")


async def _respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(len(body)).encode()), *(headers or [])],
        }
    )
    await send({"type": "http.response.body", "body": body})


def create_app(data: Path, credentials: dict[str, Credential] | None = None) -> WarehouseApp:
    """The application over the directory `data`, with its insert bodies on a memory disk where there is one."""
    faultpoints.arm()
    return WarehouseApp(lambda: Engine(data, spool_of(data)), credentials)


def spool_of(data: Path) -> Path:
    """Where the insert bodies of a data directory are kept. Its own, always the same: what a killed process left there
    the next one removes."""
    memory = Path("/dev/shm")
    mark = hashlib.blake2b(str(data.absolute()).encode(), digest_size=6).hexdigest()
    return (memory if memory.is_dir() else data.parent) / f"ioc-spool-{mark}"
