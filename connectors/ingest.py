"""`POST /v1/ingest/{connector}`: pushed changes, answered 202 only after all replicas have them.

Order of one request: connector → size → signature → JSON → mapping → Kafka → 202. Nothing is half taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors import metrics
from connectors.clock import now_ms
from connectors.configs import TargetState
from connectors.delivery import Delivery
from connectors.endpoint import Endpoint
from connectors.errors import ConnectorError, PublishError, Text
from connectors.grouping import GroupedPublisher, TooManyWaitingError
from connectors.holds import Holds, TopicHeldError
from connectors.intake import Intake, IntakeFactory, Prepared
from connectors.mac import Mac
from connectors.manifest import Manifest
from connectors.payload import records_of
from connectors.problem import ProblemType, RequestRefusedError, language_of, render
from connectors.publish import Publisher
from connectors.secrets import SecretResolver
from connectors.signature import NonceStore, Signed, Verifier
from connectors.status import Subject, Tally
from connectors.status_writer import StatusWriter, Table
from connectors.trial import UntaggedPersonalDataError, refuse_untagged
from connectors.webhook_config import Config as WebhookConfig
from schemas import tracing

PATH = "/v1/ingest/{connector}"
OPEN_RETRY_S = 1.0
"""Rest between attempts to reach registry and broker at the start."""
UNKNOWN = "unknown"
"""Metrics label for connectors that do not exist: a sender must not be able to make labels."""

JSON = (b"content-type", b"application/json")

log = structlog.get_logger("ioc.connectors")


class WebhookIngest:
    """All pushed connectors of a process: `route` for the API, `start` and `stop` around its life.

    An ASGI application, so that a push alone pays for nothing but its own answer.

    `started_s`: when the process began, Unix seconds; requests stamped before are asked to be signed anew.
    `statuses`: the compacted status topic, or None to write no status.
    """

    def __init__(
        self,
        manifests: Iterable[Manifest],
        intakes: IntakeFactory,
        bootstrap: str,
        secrets: SecretResolver,
        statuses: Table | None = None,
        worker: str = "api",
        holds: Holds | None = None,
        clock_s: Callable[[], float] = time.time,
        started_s: float | None = None,
    ) -> None:
        self._intakes = intakes
        self._publisher = Publisher(bootstrap, client_id="ioc-ingest", holds=holds)
        self._holds = holds
        self._grouped: GroupedPublisher | None = None
        self._clock_s = clock_s
        self._tasks: list[asyncio.Task[None]] = []
        self._nonces = NonceStore()
        self._started_s = clock_s() if started_s is None else started_s
        self._secrets = secrets
        self._worker = worker
        self.endpoints: dict[str, Endpoint] = {}
        self._waiting = asyncio.Event()
        self._statuses = statuses
        self._writer: StatusWriter | None = None
        for manifest in manifests:
            self.declare(manifest)
        self.route = Route(PATH, self, methods=["POST"], name="ingest")

    def declare(self, manifest: Manifest, version: int = 0, state: TargetState = "running") -> None:
        """Take records for a connector from now on, by this version of its manifest, or let it rest. Pushed kinds
        alone are taken up. ManifestError if its mapping does not fit its contract."""
        if not isinstance(manifest.source, WebhookConfig):
            self.withdraw(manifest.id)
            return
        before = self.endpoints.get(manifest.id)
        if before is None or before.manifest != manifest:
            self.endpoints[manifest.id] = before = self._endpoint(manifest, version, before)
            self._waiting.set()
        before.rest(state)

    def withdraw(self, connector: str) -> None:
        """Take no more records for it. Idempotent."""
        self.endpoints.pop(connector, None)

    async def start(self) -> None:
        """Begin to connect; returns at once. Until registry and broker answer, requests are answered 503."""
        self._tasks.append(asyncio.create_task(self._open(), name="ingest opening"))
        if self._statuses is not None:
            self._writer = StatusWriter(self._statuses, lambda: [item.tally for item in self.endpoints.values()])
            for endpoint in self.endpoints.values():
                self._writer.resume(endpoint.tally)
            self._tasks.append(asyncio.create_task(self._writer.run(), name="ingest status"))

    async def stop(self) -> None:
        """Stop; requests in flight are answered 503."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._grouped is not None:
            await self._grouped.stop()
            self._grouped = None
        await self._publisher.stop()
        if self._writer is not None:
            await self._writer.finish()
            self._writer = None

    async def publish(self, prepared: Prepared) -> None:
        """Publish what another part of this process has prepared; as `GroupedPublisher.publish`."""
        await self._publisher_of_groups().publish(prepared)

    def _publisher_of_groups(self) -> GroupedPublisher:
        if self._grouped is None:
            raise PublishError(Text("Kafka chưa sẵn sàng", "Kafka is not ready"))
        return self._grouped

    def causes(self) -> dict[str, str]:
        """Why requests cannot be taken now, by connector; empty if all can."""
        return {
            name: str(endpoint.broken or "starting")
            for name, endpoint in self.endpoints.items()
            if endpoint.intake is None and not (endpoint.broken and endpoint.verifier is None)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route's endpoint."""
        request = Request(scope)
        name = request.path_params["connector"]
        endpoint = self.endpoints.get(name)
        label = name if endpoint is not None else UNKNOWN
        try:
            if endpoint is None:
                raise _unknown(name, self.endpoints)
            accepted, quarantined = await self._take(endpoint, request.headers, receive)
        except RequestRefusedError as error:
            slug = error.refusal.type.slug
            metrics.INGEST_REQUESTS.labels(label, slug).inc()
            request.state.problem = slug
            await _answer(request, error)(scope, receive, send)
            return
        except ClientDisconnect:
            metrics.INGEST_REQUESTS.labels(label, "disconnected").inc()
            await Response(status_code=400)(scope, receive, send)
            return
        endpoint.accepted.inc()
        body = b'{"accepted":%d,"quarantined":%d}' % (accepted, quarantined)
        headers = [JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, endpoint: Endpoint, headers: Headers, receive: Receive) -> tuple[int, int]:
        verifier, intake = endpoint.ready()
        body = await _body(receive, headers.get("content-length", ""), endpoint.config.max_body_bytes)
        signed = Signed(headers.get("x-ioc-timestamp"), headers.get("x-ioc-nonce"), headers.get("x-ioc-signature"))
        nonce = verifier.check(signed, body, self._clock_s())
        taken = False
        try:
            records = records_of(body, headers.get("content-type", ""))
            with tracing.span("connector.batch", connector=endpoint.manifest.id, records=len(records)):
                counts = await self._deliver(endpoint, intake, records)
            taken = True
        finally:
            if not taken:
                self._nonces.release(endpoint.manifest.id, nonce)
        return counts

    async def _deliver(self, endpoint: Endpoint, intake: Intake, records: list[Any]) -> tuple[int, int]:
        if endpoint.tally.published == 0:
            self._examine(endpoint, records)
        delivery = Delivery(intake, records)
        try:
            if self._holds is not None:
                # Before it joins a group with others, whose topics may be free.
                self._holds.check(intake.topic)
            await self._publisher_of_groups().take(delivery)
        except TopicHeldError as error:
            raise RequestRefusedError(ProblemType.TOPIC_HELD, error.text, error.retry_after_s) from error
        except TooManyWaitingError as error:
            raise RequestRefusedError(ProblemType.OVERLOADED, error.text, retry_after_s=1) from error
        except PublishError as error:
            endpoint.tally.failed(error, "publish", retry=True)
            if delivery.quarantined:
                metrics.QUARANTINE_FAILURES.labels(endpoint.manifest.id).inc()
            raise RequestRefusedError(ProblemType.KAFKA_AWAY, error.text, retry_after_s=2) from error
        accepted, quarantined = delivery.accepted, delivery.quarantined
        endpoint.tally.delivered(len(records), accepted, quarantined, delivery.newest_ms, delivery.ingest_ms)
        endpoint.tally.succeeded()
        return accepted, quarantined

    def _examine(self, endpoint: Endpoint, records: list[Any]) -> None:
        """Of a connector that never published: nobody could read its source before."""
        try:
            refuse_untagged(endpoint.manifest, records, read_only=True)
        except UntaggedPersonalDataError as error:
            endpoint.tally.failed(error, "source", retry=True)
            raise RequestRefusedError(ProblemType.UNTAGGED, error.text) from error

    def _endpoint(self, manifest: Manifest, version: int, before: Endpoint | None) -> Endpoint:
        """Checks the mapping (ManifestError) and resolves the keys (missing ones are its state)."""
        self._intakes.check(manifest)
        tally = Tally(Subject.of(manifest, version), self._worker)
        if before is not None:
            tally.resume(before.tally.snapshot(now_ms()))
        elif self._writer is not None:
            self._writer.resume(tally)
        config: WebhookConfig = manifest.source
        try:
            keys = [self._secrets.resolve(config.key), self._secrets.optional(config.previous_key)]
        except ConnectorError as error:
            tally.failed(error, "source", retry=False)
            return Endpoint(manifest, tally, None, error)
        live = tuple(Mac(key.encode()) for key in keys if key)
        verifier = Verifier(manifest.id, live, config.tolerance_s, self._started_s, self._nonces)
        return Endpoint(manifest, tally, verifier, None)

    async def _open(self) -> None:
        """Connect to the broker and get schema ids, again and again until it works; then for what is declared."""
        while self._grouped is None:
            try:
                await self._publisher.start()
                self._grouped = GroupedPublisher(self._publisher)
                self._grouped.start()
            except PublishError as error:
                log.warning("ingest_waits", reason=str(error))
                await asyncio.sleep(OPEN_RETRY_S)
        while True:
            self._waiting.clear()
            waiting = [item for item in self.endpoints.values() if item.verifier is not None and item.intake is None]
            for endpoint in waiting:
                await endpoint.open(self._intakes)
            with contextlib.suppress(TimeoutError):
                still = any(endpoint.intake is None for endpoint in waiting)
                await asyncio.wait_for(self._waiting.wait(), OPEN_RETRY_S if still else None)


async def _body(receive: Receive, declared: str, limit: int) -> bytes:
    """The raw body; refused as soon as it is known to be larger than `limit` bytes. `declared`: its length, if told."""
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> RequestRefusedError:
    return RequestRefusedError(
        ProblemType.BODY_TOO_LARGE,
        Text(
            f"Tối đa {limit} byte mỗi lần gửi; hãy chia nhỏ", f"At most {limit} bytes per request; send smaller batches"
        ),
        limit_bytes=limit,
    )


def _unknown(name: str, known: Iterable[str]) -> RequestRefusedError:
    return RequestRefusedError(
        ProblemType.UNKNOWN_CONNECTOR,
        Text("Kiểm tra mã đầu nối trong địa chỉ gửi", "Check the connector's id in the address"),
    )


def _answer(request: Request, error: RequestRefusedError) -> Response:
    language = language_of(request.headers.get("accept-language", ""))
    request_id = getattr(request.state, "request_id", None)
    body, headers = render(error.refusal, language, request.url.path, request_id)
    return Response(body, error.refusal.type.status, headers)
