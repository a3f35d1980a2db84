"""The role `connect`: all polled connectors of one process, and what it says about itself over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.cursor import POSITIONS_TOPIC, Positions
from connectors.errors import ConnectorError
from connectors.holds import Holds
from connectors.hosts import Hosts
from connectors.intake import IntakeFactory, SchemaRegistry
from connectors.manifest import Manifest
from connectors.pseudonym import Pseudonymiser
from connectors.publish import Publisher
from connectors.runtime import SLOW_RETRY_S, ConnectorRunner, is_polled
from connectors.secrets import SecretResolver
from connectors.source import Surroundings
from connectors.status import STATUS_TOPIC, StatusWriter, Tally
from schemas.contract import Contract

KAFKA_RETRY_S = 1.0
"""Rest between attempts to reach the broker at the start."""
GRACE_S = 5
"""Requests in flight may take this long when the process ends."""

log = structlog.get_logger("ioc.connectors")


class ConnectWorker:
    """Runs polled connectors; `start` returns at once and connects in the background, for as long as it takes."""

    def __init__(
        self,
        bootstrap: str,
        manifests: Iterable[Manifest],
        intakes: IntakeFactory,
        secrets: SecretResolver,
        worker: str,
        slow_retry_s: float = SLOW_RETRY_S,
        hosts: Hosts | None = None,
        folders: tuple[Path, ...] = (),
    ) -> None:
        self._positions = CompactedTopic(bootstrap, POSITIONS_TOPIC)
        self._statuses = CompactedTopic(bootstrap, STATUS_TOPIC)
        self._publisher = Publisher(bootstrap, holds=Holds(self._statuses, now_ms))
        self._tasks: list[asyncio.Task[None]] = []
        self._cause: str | None = "starting"
        self._writer: StatusWriter | None = None
        positions = Positions(self._positions)
        around = Surroundings(secrets, hosts=hosts or Hosts(), folders=folders)
        self.runners: dict[str, ConnectorRunner] = {}
        for manifest in manifests:
            intakes.check(manifest)
            if is_polled(manifest):
                tally = Tally(manifest, worker)
                self.runners[manifest.id] = ConnectorRunner(
                    manifest, intakes, self._publisher, positions, around, tally, slow_retry_s
                )

    async def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._open(), name="connect opening"))

    async def stop(self) -> None:
        """Stop reading; what was published and not yet stored as a position is read again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._writer is not None:
            await self._writer.finish()
            self._writer = None
        for part in (self._publisher, self._positions, self._statuses):
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                await part.stop()

    def causes(self) -> dict[str, str | None]:
        """What the role leans on: None if it is well, else the cause."""
        return {"kafka": self._cause}

    async def _open(self) -> None:
        self._writer = await self._connect()
        self._cause = None
        self._tasks.append(asyncio.create_task(self._writer.run(), name="connect status"))
        for name, runner in self.runners.items():
            self._tasks.append(asyncio.create_task(runner.run(), name=f"connector {name}"))

    async def _connect(self) -> StatusWriter:
        """Broker and the compacted topics, again and again until they answer."""
        while True:
            try:
                await self._publisher.start()
                await self._positions.start()
                await self._statuses.start()
            except (ConnectorError, OSError, RuntimeError, TimeoutError) as error:
                self._cause = str(error) if isinstance(error, ConnectorError) else type(error).__name__
                log.warning("connect_waits", reason=self._cause)
                await self._publisher.stop()
                await asyncio.sleep(KAFKA_RETRY_S)
                continue
            writer = StatusWriter(self._statuses, [runner.tally for runner in self.runners.values()])
            writer.resume()
            return writer


def worker_name() -> str:
    """Names this process in statuses."""
    return f"{socket.gethostname()}:{os.getpid()}"


def create_app(worker: ConnectWorker) -> Starlette:
    """`/livez`, `/readyz[?verbose]`, `/metrics` and `/connectors`; its lifespan starts and stops the worker."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await worker.start()
        try:
            yield
        finally:
            await worker.stop()

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        causes = worker.causes()
        status = 503 if any(causes.values()) else 200
        if "verbose" not in request.query_params:
            return PlainTextResponse("ok\n" if status == 200 else "not ready\n", status)
        lines = [f"[{'-' if cause else '+'}] {name}: {cause or 'ok'}" for name, cause in causes.items()]
        return PlainTextResponse("\n".join(lines) + "\n", status)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def connectors(_: Request) -> Response:
        at = now_ms()
        body = b"[" + b",".join(runner.tally.snapshot(at).to_json() for runner in worker.runners.values()) + b"]"
        return Response(body, media_type="application/json")

    routes = [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/connectors", connectors),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def build_worker(
    bootstrap: str,
    registry: SchemaRegistry,
    manifests: Iterable[Manifest],
    contracts: Mapping[str, Contract],
    pseudonym_key: bytes,
    file_roots: tuple[Path, ...] = (),
    allowed_hosts: tuple[str, ...] = (),
    folders: tuple[Path, ...] = (),
) -> ConnectWorker:
    """The role's parts from plain values. ManifestError if a mapping does not fit its contract.

    `allowed_hosts`: see `Hosts.allowed`; `folders`: directories that file sources may read.
    """
    intakes = IntakeFactory(contracts, registry, Pseudonymiser(pseudonym_key))
    return ConnectWorker(
        bootstrap,
        manifests,
        intakes,
        SecretResolver(file_roots=file_roots),
        worker_name(),
        hosts=Hosts(allowed_hosts),
        folders=folders,
    )


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """None of its own: the role decides what a signal does."""
        yield


async def run_connect(worker: ConnectWorker, port: int, host: str = "127.0.0.1") -> None:
    """Run the role until SIGTERM or SIGINT."""
    server = _Server(
        uvicorn.Config(
            create_app(worker),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve()
