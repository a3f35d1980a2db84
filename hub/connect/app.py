"""The role `connect` over HTTP: Kafka Connect's REST interface with what ours adds, `/livez`, `/readyz`, `/metrics`.

Plain ASGI, since names may hold any character: a segment is decoded only after the route was found. Default deny:
every route but health and metrics wants a key, and each connector is shown to those alone whose unit it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from connectors.clock import now_ms
from connectors.compacted import CompactedTopicError
from connectors.errors import ConnectorError, Text, place_of
from connectors.intake import IntakeFactory
from connectors.manifest import load_kinds
from connectors.problem import language_of
from connectors.registrar import ConflictError, NotStoppedError, UnknownConnectorError
from connectors.seeds import ReadManifest, parse_manifest
from connectors.worker import ConnectWorker
from hub.connect import faults
from hub.connect.connectors import ConnectorEndpoints
from hub.connect.exchange import (
    Answer,
    Ask,
    Route,
    Routes,
    accepts_json,
    base_of,
    body_of,
    query_of,
    raw_path_of,
)
from hub.connect.loggers import LoggerEndpoints
from hub.connect.operations import OperationEndpoints
from hub.connect.parts import MakeTopic, Parts
from hub.connect.plugins import PluginEndpoints
from hub.connect.shapes import VERSION
from hub.connector_verdict import judge_with
from hub.security.access import Permission, Principal
from hub.security.credentials import credential_of
from hub.topics import TopicsError

PrincipalOf = Callable[[str], Principal | None]
"""Who holds a key, None if nobody does."""
ClusterId = Callable[[], str | None]
"""What the Kafka cluster calls itself; blocks. None while it does not answer."""
OPEN_PATHS = ("/livez", "/readyz", "/metrics", "/health")

log = structlog.get_logger("ioc.connect")


class ConnectApp:
    """One worker's interface; its lifespan starts and stops the worker."""

    def __init__(self, worker: ConnectWorker, parts: Parts, principal_of: PrincipalOf, cluster_id: ClusterId) -> None:
        self._worker = worker
        self._principal_of = principal_of
        self._cluster_id = cluster_id
        self._cluster: str | None = None
        self.beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """Work that runs from the lifespan's start to its end."""
        groups = (ConnectorEndpoints(parts), OperationEndpoints(parts), PluginEndpoints(parts), LoggerEndpoints())
        self.listed = [
            Route("GET", "/", Permission.CONNECTOR_READ, self._root),
            *(route for group in groups for route in group.routes()),
        ]
        self._routes = Routes.of(self.listed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._worker.start()
        beside = [asyncio.create_task(work()) for work in self.beside]
        loading = asyncio.create_task(asyncio.to_thread(load_kinds), name="connect kinds")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await loading
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._worker.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        language = language_of(headers.get(b"accept-language", b"").decode("latin-1"), default="en")
        path = raw_path_of(scope)
        try:
            if path.rstrip("/") in OPEN_PATHS and scope["method"] in ("GET", "HEAD"):
                answer = self._open(path.rstrip("/"), query_of(scope))
            else:
                answer = await self._answer(scope, receive, headers, path, language)
        except faults.Fault as fault:
            body = {"error_code": fault.status, "message": fault.text.to(language)}
            answer = Answer(fault.status, body, fault.headers)
        await _send(send, answer, head=scope["method"] == "HEAD")

    async def _answer(
        self, scope: Scope, receive: Receive, headers: dict[bytes, bytes], path: str, language: str
    ) -> Answer:
        key = credential_of(headers)
        caller = self._principal_of(key) if key else None
        if caller is None:
            raise faults.unauthorized()
        route, segments = self._routes.find(scope["method"], path)
        if not caller.may(route.permission):
            raise faults.forbidden()
        if not accepts_json(headers.get(b"accept", b"")) and not route.pattern.endswith("manifest"):
            raise faults.plain(406, "Not Acceptable")
        cause = self._worker.waits_for
        if cause is not None:
            raise faults.kafka_away(
                Text(f"Chưa đọc được cấu hình từ Kafka: {cause}", f"Kafka is not read yet: {cause}")
            )
        body = await body_of(headers, receive, takes_text=route.takes_text)
        ask = Ask(caller, segments, query_of(scope), body, base_of(scope, headers), language)
        return await _handled(route, ask)

    async def _root(self, _: Ask) -> Answer:
        if self._cluster is None:
            self._cluster = await asyncio.to_thread(self._cluster_id)
        return Answer(body={"version": VERSION, "commit": "ioc-integration-hub", "kafka_cluster_id": self._cluster})

    def _open(self, path: str, query: dict[str, list[str]]) -> Answer:
        """What needs no key and holds nothing of anybody."""
        if path == "/livez":
            return Answer(body={"status": "ok"})
        if path == "/metrics":
            return Answer(body=generate_latest(), media_type=CONTENT_TYPE_LATEST)
        causes = self._worker.causes()
        red = {name: cause for name, cause in causes.items() if cause is not None}
        if path == "/health":
            message = "; ".join(f"{name}: {cause}" for name, cause in red.items())
            text = message or "Worker has completed startup and is ready to handle requests."
            return Answer(503 if red else 200, {"status": "starting" if red else "healthy", "message": text})
        body: dict[str, Any] = {"status": "unavailable" if red else "ok"}
        if "verbose" in query:
            body["checks"] = {name: {"ok": cause is None, "cause": cause} for name, cause in causes.items()}
        else:
            body["failing"] = sorted(red)
        return Answer(503 if red else 200, body)


STATUS_OF: dict[type[ConnectorError], int] = {UnknownConnectorError: 404, NotStoppedError: 400, ConflictError: 409}


async def _handled(route: Route, ask: Ask) -> Answer:
    """The route's answer; every error of the connectors as a Fault."""
    try:
        return await route.handler(ask)
    except faults.Fault:
        raise
    except CompactedTopicError as error:
        raise faults.kafka_away(error.text) from error
    except TopicsError as error:
        raise faults.kafka_away(Text(f"Chưa tạo được chủ đề: {error}", f"The topic cannot be made: {error}")) from error
    except ConnectorError as error:
        raise faults.Fault(STATUS_OF.get(type(error), 400), error.text) from error
    except Exception as error:
        log.error("connect_request_broken", path=route.pattern, where=place_of(error))
        raise faults.Fault(500, Text("Lỗi bên trong", f"Internal error ({type(error).__name__})")) from error


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    if answer.body is None:
        payload, headers = b"", [*answer.headers, (b"content-length", b"0")]
    else:
        payload = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
        headers = [
            (b"content-type", answer.media_type.encode()),
            (b"content-length", str(len(payload)).encode()),
            *answer.headers,
        ]
    if answer.status == 204:
        headers = [item for item in headers if item[0] != b"content-length"]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else payload})


def build_app(
    worker: ConnectWorker,
    intakes: IntakeFactory,
    principal_of: PrincipalOf,
    cluster_id: ClusterId,
    read: ReadManifest = parse_manifest,
    make_topic: MakeTopic = lambda entity: None,
) -> ConnectApp:
    """The interface of a worker. `principal_of` is `Gatekeeper.by_key`."""
    parts = Parts(
        configs=worker.configs,
        statuses=worker.status_topic,
        positions=worker.positions,
        trail=worker.trail,
        registrar=worker.registrar,
        intakes=intakes,
        topics={contract.entity: contract.topic for contract in intakes.contracts.values()},
        read=read,
        now_ms=now_ms,
        make_topic=make_topic,
        judge=judge_with(intakes, worker.around),
    )
    return ConnectApp(worker, parts, principal_of, cluster_id)
