"""The registry as an ASGI application: opens its log, lets in, answers, counts; `/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.types import Receive, Scope, Send

from hub.registry import faults
from hub.registry.decisions import Decisions
from hub.registry.exchange import (
    Ask,
    Route,
    Routes,
    answer_type,
    body_of,
    credential_of,
    fault_body,
    headers_of,
    query_of,
    raw_path_of,
)
from hub.registry.library import Library
from hub.registry.log import PROBE_TIMEOUT_S, KafkaLog, LogAwayError, SchemaLog
from hub.registry.metrics import RegistryMetrics, registry_metrics
from hub.registry.registrar import Registrar
from hub.registry.rest import routes
from hub.registry.store import Store
from hub.security.access import Principal

RETRY_S = 0.5
"""Pause between attempts to open the log."""

PrincipalOf = Callable[[str], Principal | None]
"""Who holds a key, None if nobody does."""

log = structlog.get_logger("ioc.registry")


class RegistryApp:
    """One registry. Its lifespan opens the log in the background: until then requests are answered 503."""

    def __init__(self, schema_log: SchemaLog, principal_of: PrincipalOf | None, metrics: RegistryMetrics) -> None:
        self._log = schema_log
        self._principal_of = principal_of
        self._metrics = metrics
        self._store = Store()
        library = Library(self._store)
        decisions = Decisions(self._store, library)
        registrar = Registrar(self._store, decisions, schema_log)
        self._routes = Routes.of(routes(self._store, library, decisions, registrar))
        self._waits_for: str | None = "the log is not read yet"
        self._opening: asyncio.Task[None] | None = None
        metrics.watch(self._store.counts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def start(self) -> None:
        """Begin to open the log; returns at once. The lifespan calls it."""
        self._opening = asyncio.create_task(self._open(), name="registry opening")

    async def stop(self) -> None:
        """Close the log. Idempotent."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        await self._log.close()

    async def cause(self) -> str | None:
        """Why the registry cannot serve now, None if it can; asks Kafka, within `PROBE_TIMEOUT_S`."""
        if self._waits_for is not None:
            return self._waits_for
        try:
            await self._log.catch_up(PROBE_TIMEOUT_S)
        except LogAwayError as error:
            return str(error)
        return None

    async def _open(self) -> None:
        while True:
            try:
                await self._log.open(self._store.apply)
            except LogAwayError as error:
                self._waits_for = str(error)
                log.info("registry_waits", cause=self._waits_for)
                await asyncio.sleep(RETRY_S)
            else:
                self._waits_for = None
                return

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = raw_path_of(scope)
        if path in ("/livez", "/readyz", "/metrics") and scope["method"] in ("GET", "HEAD"):
            await self._face(path, scope, send)
            return
        begun = time.perf_counter()
        headers = headers_of(scope)
        kind = answer_type(headers.get(b"accept", b""))
        name, status = "none", 200
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            route, segments = self._routes.find(scope["method"], path)
            name = route.name
            answer: Any = await self._answer(route, segments, scope, headers, receive, accepted=kind is not None)
        except faults.Fault as fault:
            status = fault.status
            answer = fault_body(fault, headers.get(b"accept-language", b""))
            if status == 401:
                extra = ((b"www-authenticate", b'Bearer realm="ioc", Basic realm="ioc"'),)
        await _send(send, status, answer, kind, *extra, head=scope["method"] == "HEAD")
        self._metrics.answered(name, status, time.perf_counter() - begun)

    async def _answer(
        self,
        route: Route,
        segments: tuple[str, ...],
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        *,
        accepted: bool,
    ) -> Any:
        if not accepted:
            raise faults.plain(406, "Not Acceptable")
        self._let_in(route, headers)
        if self._waits_for is not None:
            raise faults.log_away(self._waits_for)
        body = await body_of(headers, receive) if scope["method"] in ("POST", "PUT") else {}
        return await route.handler(Ask(segments, query_of(scope), body))

    def _let_in(self, route: Route, headers: dict[bytes, bytes]) -> None:
        if self._principal_of is None:
            return
        key = credential_of(headers)
        principal = self._principal_of(key) if key is not None else None
        if principal is None:
            raise faults.unauthorized()
        if not principal.may(route.permission):
            raise faults.forbidden()

    async def _face(self, path: str, scope: Scope, send: Send) -> None:
        if path == "/metrics":
            text = generate_latest(self._metrics.registry) + generate_latest(REGISTRY)
            await _send(send, 200, text, CONTENT_TYPE_LATEST)
            return
        cause = await self.cause() if path == "/readyz" else None
        body: dict[str, Any] = {"status": "ok" if cause is None else "unavailable"}
        if path == "/readyz" and "verbose" in query_of(scope):
            body["checks"] = {"log": {"ok": cause is None, "cause": cause}}
        elif path == "/readyz":
            body["failing"] = [] if cause is None else ["log"]
        await _send(send, 200 if cause is None else 503, body, "application/json")


async def _send(
    send: Send, status: int, answer: Any, kind: str | None, *extra: tuple[bytes, bytes], head: bool = False
) -> None:
    payload = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    headers = [
        (b"content-type", (kind or "application/json").encode()),
        (b"content-length", str(len(payload)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else payload})


def create_app(
    schema_log: SchemaLog, principal_of: PrincipalOf | None = None, registry: CollectorRegistry | None = None
) -> RegistryApp:
    """A registry over any log. `principal_of` None lets everybody do everything: for tests only."""
    return RegistryApp(schema_log, principal_of, registry_metrics(registry or CollectorRegistry()))


def build_registry(bootstrap: str, principal_of: PrincipalOf) -> RegistryApp:
    """The registry over Kafka's `_schemas`: an ASGI application to be served with its lifespan.

    Does not connect before the lifespan begins; waits there for Kafka and the topic, and is ready by `/readyz`.
    `principal_of` is `Gatekeeper.by_service_key`.
    """
    return create_app(KafkaLog(bootstrap), principal_of)
