"""The registry as an ASGI application: opens its log, lets in, answers, counts; `/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.types import Receive, Scope, Send

from hub.registry import faults
from hub.registry.access import NOBODY_OWNS, Guard, Ownership, PrincipalOf, check_references
from hub.registry.by_id import ShortWay
from hub.registry.decisions import Decisions
from hub.registry.exchange import (
    Ask,
    Route,
    Routes,
    answer_type,
    body_of,
    fault_body,
    headers_of,
    query_of,
    raw_path_of,
)
from hub.registry.forwarding import POSITION_HEADER, Forwarder
from hub.registry.library import Library
from hub.registry.log import PROBE_TIMEOUT_S, KafkaLog, LogAwayError, SchemaLog
from hub.registry.metrics import RegistryMetrics, registry_metrics
from hub.registry.owners import Owners
from hub.registry.records import UnreadableRecordError
from hub.registry.registrar import Registrar
from hub.registry.replica import Replica, Reply, tagged
from hub.registry.rest import routes
from hub.registry.store import Store
from hub.security.credentials import credential_of
from streams.garbage import collect_seldom

INDEXED_AT_ONCE = 20
"""Schemas made findable between two looks at requests, a millisecond or two."""
BY_FORM = frozenset({"register", "lookup"})
"""What looks for a schema by what it says; who asks so early waits, and holds nobody else up."""
RETRY_S = 0.5
"""Pause between attempts to open the log."""
NOT_MODIFIED = 304
CHALLENGE = ((b"www-authenticate", b'Bearer realm="ioc", Basic realm="ioc"'),)
WRITING = frozenset({"POST", "PUT", "DELETE"})

log = structlog.get_logger("ioc.registry")


class RegistryApp:
    """One registry. Its lifespan opens the log in the background: until then requests are answered 503."""

    def __init__(
        self,
        schema_log: SchemaLog,
        guard: Guard,
        metrics: RegistryMetrics,
        ca: Path | None = None,
        owners: Owners | None = None,
    ) -> None:
        self._owners = owners
        self._log = schema_log
        self._ca = ca
        self._forwarder: Forwarder | None = None
        self._replica: Replica | None = None
        self._guard = guard
        self._metrics = metrics
        self._store = Store()
        library = Library(self._store)
        decisions = Decisions(self._store, library)
        registrar = Registrar(self._store, decisions, schema_log)
        self.routes = Routes.of(routes(self._store, library, decisions, registrar))
        self.at_once = ShortWay(self._store, guard, metrics, lambda: self._waits_for is None)
        """For the server, which asks it before this application."""
        self._waits_for: str | None = "the log is not read yet"
        self._opening: asyncio.Task[None] | None = None
        metrics.watch(self._store.counts, lambda: schema_log.epoch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def start(self) -> None:
        """Begin to open the log; returns at once. The lifespan calls it."""
        collect_seldom()
        self._forwarder = Forwarder(self._ca)
        self._replica = Replica(self._log, self._forwarder)
        self._opening = asyncio.create_task(self._open(), name="registry opening")

    async def stop(self) -> None:
        """Close the log. Idempotent."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        if self._owners is not None:
            await self._owners.stop()
        await self._log.close()
        if self._forwarder is not None:
            await self._forwarder.close()

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
                gc.disable()  # reading makes a million objects that stay
                await self._log.open(self._store.apply)
            except LogAwayError as error:
                self._waits_for = str(error)
                log.info("registry_waits", cause=self._waits_for)
                await asyncio.sleep(RETRY_S)
            else:
                self._waits_for = None
                break
            finally:
                gc.enable()
        try:
            await self._index()
        except UnreadableRecordError as error:
            self._waits_for = str(error)
            log.error("registry_stops", cause=self._waits_for)
            return
        gc.freeze()
        if self._owners is not None:
            await self._owners.start()

    async def _index(self) -> None:
        done = False
        while not done:
            done = self._store.index(INDEXED_AT_ONCE)
            await asyncio.sleep(0)

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
        name = "none"
        try:
            route, segments = self.routes.find(scope["method"], path)
            name = route.name
            reply = await self._answer(route, segments, scope, headers, receive, accepted=kind is not None)
            if scope["method"] in WRITING:
                reply = replace(reply, extra=((POSITION_HEADER, str(self._log.position).encode()),))
            else:
                reply = tagged(reply, headers)
        except faults.Fault as fault:
            body = fault_body(fault, headers.get(b"accept-language", b""))
            reply = Reply(fault.status, body, extra=CHALLENGE if fault.status == 401 else ())
        await _send(send, replace(reply, kind=reply.kind or kind), head=scope["method"] == "HEAD")
        self._metrics.answered(name, reply.status, time.perf_counter() - begun)

    async def _answer(
        self,
        route: Route,
        segments: tuple[str, ...],
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        *,
        accepted: bool,
    ) -> Reply:
        if not accepted:
            raise faults.plain(406, "Not Acceptable")
        sees = self._guard.let_in(route, segments, credential_of(headers))
        if self._waits_for is not None or self._replica is None:
            raise faults.log_away(self._waits_for or "not started")
        body = await body_of(headers, receive) if scope["method"] in ("POST", "PUT") else {}
        ask = Ask(segments, query_of(scope), body, sees)
        check_references(ask)
        if route.name in BY_FORM:
            await self._index()
        return await self._replica.answer(route, ask, scope, headers)

    async def _face(self, path: str, scope: Scope, send: Send) -> None:
        if path == "/metrics":
            text = generate_latest(self._metrics.registry) + generate_latest(REGISTRY)
            await _send(send, Reply(200, text, CONTENT_TYPE_LATEST))
            return
        cause = await self.cause() if path == "/readyz" else None
        body: dict[str, Any] = {"status": "ok" if cause is None else "unavailable"}
        if path == "/readyz" and "verbose" in query_of(scope):
            body["checks"] = {"log": {"ok": cause is None, "cause": cause}}
        elif path == "/readyz":
            body["failing"] = [] if cause is None else ["log"]
        await _send(send, Reply(200 if cause is None else 503, body, "application/json"))


async def _send(send: Send, reply: Reply, *, head: bool = False) -> None:
    payload = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
    headers = list(reply.extra)
    if reply.status != NOT_MODIFIED:
        kind = (reply.kind or "application/json").encode()
        headers += [(b"content-type", kind), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else payload})


def create_app(
    schema_log: SchemaLog,
    principal_of: PrincipalOf | None = None,
    registry: CollectorRegistry | None = None,
    ca: Path | None = None,
    ownership: Ownership = NOBODY_OWNS,
    owners: Owners | None = None,
) -> RegistryApp:
    """A registry over any log. `principal_of` None lets everybody do everything: for tests only.

    `ca`: PEM file of the authority to trust when writes are forwarded by HTTPS. What departments may: as `owners`
    follow it, else `ownership`.
    """
    guard = Guard(principal_of, lambda: ownership if owners is None else owners.now)
    return RegistryApp(schema_log, guard, registry_metrics(registry or CollectorRegistry()), ca, owners)


def build_registry(
    bootstrap: str,
    principal_of: PrincipalOf,
    owners: Owners | None,
    url: str,
    session_timeout_s: float,
    ca: Path | None = None,
) -> RegistryApp:
    """The registry over Kafka's `_schemas`: an ASGI application to be served with its lifespan.

    Does not connect before the lifespan begins; waits there for Kafka and the topic, and is ready by `/readyz`.
    `principal_of` is `Gatekeeper.by_service_key`; `url` is told to the other registries. Without `owners` departments
    may do nothing.
    """
    schema_log = KafkaLog(bootstrap, url=url, session_timeout_s=session_timeout_s)
    return create_app(schema_log, principal_of, ca=ca, owners=owners)
